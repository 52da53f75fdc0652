public import DurableStore
import Messaging
import StrictJSON

/// Makes one delivery per endpoint that wants an event, in the caller's unit of work.
public struct WebhookFanout: Sendable {
    private let largestBody: Int
    private let wake: @Sendable () -> Void

    /// Makes a fan-out.
    ///
    /// - Parameters:
    ///   - largestBody: what is larger, in bytes, goes out in its thin form, if it says where its data can be read.
    ///   - wake: called after the commit; wakes the dispatcher.
    public init(largestBody: Int = 20 << 10, wake: @escaping @Sendable () -> Void) {
        self.largestBody = largestBody
        self.wake = wake
    }

    /// Records an event for everybody who wants it. An event that nobody wants is not kept; one that was recorded before is not
    /// recorded again.
    ///
    /// An endpoint that is not verified yet gets its deliveries too; they wait until the receiver agreed.
    ///
    /// - Parameter excluding: an endpoint that is not told of it, whatever it wants.
    /// - Returns: how many deliveries were made.
    @discardableResult
    public func publish(_ event: WebhookEvent, excluding: String? = nil, in tx: Transaction) throws -> Int {
        var document: JSONValue?
        func made() -> JSONValue {
            let value = document ?? event.document()
            document = value
            return value
        }
        let endpoints = try EndpointTable(db: tx.db).list().filter {
            $0.id != excluding && $0.settings.wants(event.type, channels: event.channels, document: made)
        }
        let deliveries = DeliveryTable(db: tx.db)
        guard !endpoints.isEmpty else { return 0 }
        let body = StrictJSON.encode(made())
        guard try deliveries.insert(event, body: body, isTest: false, at: tx.now) else { return 0 }
        let isTooLarge = body.count > largestBody && event.dataref != nil
        var count = 0
        for endpoint in endpoints where !Sabotage.isOn("fanout-forgets-events") || event.sequence != 5 {
            let isDisabled = endpoint.state.reason != nil
            var form = endpoint.settings.form
            form.isThin = form.isThin || isTooLarge
            let seq = try deliveries.insert(
                id: tx.newID(),
                message: event.id,
                endpoint: endpoint.id,
                type: event.type,
                orderingKey: endpoint.settings.ordering == .key ? event.subject : nil,
                state: isDisabled ? .skipped : .pending,
                trigger: .scheduled,
                form: form,
                at: tx.now
            )
            if seq != nil { count += 1 }
        }
        tx.afterCommit(wake)
        return count
    }
}
