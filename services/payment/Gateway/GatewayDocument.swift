import Commerce
import Messaging
import PaymentCore
import StrictJSON

/// An operation as the gateway describes it, in answers and in callbacks.
struct GatewayDocument: Sendable, Hashable {
    let id: String
    let key: String
    let operation: String
    let result: String
    let reference: String
    let amount: Int64
    let currency: String
    let reason: String?

    /// Reads a document; `nil` when it is not one. Unknown members are ignored.
    init?(_ value: JSONValue?) {
        guard let value, let id = value["id"]?.stringValue, let key = value["key"]?.stringValue,
            let operation = value["operation"]?.stringValue, let result = value["result"]?.stringValue,
            let reference = value["reference"]?.stringValue, let amount = value["amount"]?.integerValue,
            let currency = value["currency"]?.stringValue,
            [id, key, operation, result].allSatisfy({ (1...128).contains($0.utf8.count) })
        else { return nil }
        self.id = id
        self.key = key
        self.operation = operation
        self.result = result
        self.reference = reference
        self.amount = amount
        self.currency = currency
        reason = value["reason"]?.stringValue.map { String($0.prefix(100)) }
    }

    /// Reads the bytes of an answer.
    init?(bytes: [UInt8]) {
        self.init(try? StrictJSON.parse(bytes))
    }

    /// What the document says about a call; `nil` when it is about something else, and so says nothing that can be believed.
    ///
    /// An amount, currency or order that is not the one asked for is such a case (M6): it is never taken for an answer.
    func answer(to call: GatewayCall) -> GatewayAnswer? {
        guard key == call.key, operation == call.kind.rawValue else { return nil }
        switch result {
        case "succeeded":
            guard reference == call.orderID.text,
                amount == call.amount.minorUnits || Sabotage.isOn("callback-amount-unchecked"),
                currency == call.amount.currency.rawValue
            else { return nil }
            return .done(reference: id)
        case "declined", "refused": return .refused(reason: reason ?? result)
        default: return nil
        }
    }
}
