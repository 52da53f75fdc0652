import Commerce
import OrderCore

/// An ``OrderState`` as the columns that hold it.
struct StateColumns {
    let status: String
    let reason: String?
    let stage: String?
    let undoStock: String?
    let undoPayment: String?
    let undoRounds: Int?

    init(
        status: String,
        reason: String?,
        stage: String?,
        undoStock: String?,
        undoPayment: String?,
        undoRounds: Int?
    ) {
        self.status = status
        self.reason = reason
        self.stage = stage
        self.undoStock = undoStock
        self.undoPayment = undoPayment
        self.undoRounds = undoRounds
    }

    init(_ state: OrderState) {
        status = state.status.rawValue
        reason = state.reason?.text
        switch state {
        case .capturing: stage = "capturing"
        case .committing: stage = "committing"
        default: stage = nil
        }
        switch state {
        case .cancelling(let compensation), .needsOperator(let compensation):
            undoStock = compensation.stock.rawValue
            undoPayment = compensation.payment.rawValue
            undoRounds = compensation.rounds
        default:
            undoStock = nil
            undoPayment = nil
            undoRounds = nil
        }
    }

    /// The state; `nil` when the columns do not make one.
    var state: OrderState? {
        guard let status = OrderStatus(rawValue: status) else { return nil }
        let reason = reason.map { OrderReason($0) }
        switch status {
        case .placed: return .placed
        case .awaitingStock: return .awaitingStock
        case .awaitingPayment: return .awaitingPayment
        case .confirming:
            switch stage {
            case "capturing": return .capturing
            case "committing": return .committing
            default: return nil
            }
        case .completed: return .completed
        case .rejected: return reason.map { .rejected($0) }
        case .cancelled: return reason.map { .cancelled($0) }
        case .cancelling: return compensation(reason).map { .cancelling($0) }
        case .needsOperator: return compensation(reason).map { .needsOperator($0) }
        }
    }

    private func compensation(_ reason: OrderReason?) -> Compensation? {
        guard let reason, let stock = undoStock.flatMap(Compensation.Step.init(rawValue:)),
            let payment = undoPayment.flatMap(Compensation.Step.init(rawValue:)), let undoRounds
        else { return nil }
        return Compensation(reason: reason, stock: stock, payment: payment, rounds: undoRounds)
    }
}
