import Commerce
import Messaging
import OrderCore
import Testing

/// Every state × every input, written out. A cell reads `state: commands` for what is applied, or one word for what is not.
@Suite struct OrderRulesTableTests {
    private static let columns: [OrderInput] = Fixture.inputs

    /// One row per state; cells in the order of ``Fixture/inputs``:
    /// start, stockReserved, stockRefused, stockCommitted, stockCommitRefused, stockReleased, paymentAuthorized,
    /// paymentDeclined, paymentCaptured, captured with another amount, paymentFailed, paymentCancelled, cancelRequested,
    /// deadlines stock, payment, confirmation, compensation, republish.
    private static let table: [(OrderState, [String])] = [
        (
            .placed,
            [
                "awaitingStock: reserve-stock", "unexpected", "unexpected", "unexpected", "unexpected", "unexpected",
                "unexpected", "unexpected", "unexpected", "unexpected", "unexpected", "unexpected", "notStarted",
                "unexpected", "unexpected", "unexpected", "unexpected", "unexpected",
            ]
        ),
        (
            .awaitingStock,
            [
                "repeated", "awaitingPayment: authorize-payment", "rejected:", "unexpected", "unexpected", "unexpected",
                "unexpected", "unexpected", "unexpected", "unexpected", "unexpected", "unexpected",
                "cancelling: release-stock", "cancelling: release-stock", "repeated", "repeated", "repeated",
                "awaitingStock: reserve-stock",
            ]
        ),
        (
            .awaitingPayment,
            [
                "repeated", "repeated", "repeated", "unexpected", "unexpected", "unexpected",
                "confirming: capture-payment",
                "cancelling: release-stock", "unexpected", "unexpected", "cancelling: release-stock cancel-payment",
                "unexpected", "cancelling: release-stock cancel-payment", "repeated",
                "cancelling: release-stock cancel-payment", "repeated", "repeated",
                "awaitingPayment: authorize-payment",
            ]
        ),
        (
            .capturing,
            [
                "repeated", "repeated", "repeated", "unexpected", "unexpected", "unexpected", "repeated",
                "cancelling: release-stock cancel-payment", "confirming: commit-stock",
                "cancelling: release-stock cancel-payment", "cancelling: release-stock cancel-payment", "unexpected",
                "cancelling: release-stock cancel-payment", "repeated", "repeated",
                "cancelling: release-stock cancel-payment", "repeated", "confirming: capture-payment",
            ]
        ),
        (
            .committing,
            [
                "repeated", "repeated", "repeated", "completed:", "cancelling: cancel-payment", "unexpected",
                "repeated",
                "repeated", "repeated", "repeated", "repeated", "unexpected", "tooLate", "repeated", "repeated",
                "confirming: commit-stock", "repeated", "confirming: commit-stock",
            ]
        ),
        (.completed, terminal(cancel: "final(completed)")),
        (.rejected(Fixture.reason), terminal(cancel: "final(rejected)")),
        (.cancelled(.customer), terminal(cancel: "repeated")),
        (
            .needsOperator(Compensation(reason: .deadline, stock: .outstanding, payment: .done)),
            terminal(cancel: "final(needsOperator)")
        ),
        (
            cancelling(.outstanding, .outstanding),
            undoing(released: "cancelling:", repaid: "cancelling:", round: "cancelling: release-stock cancel-payment")
        ),
        (
            cancelling(.outstanding, .notNeeded),
            undoing(released: "cancelled:", repaid: "repeated", round: "cancelling: release-stock")
        ),
        (
            cancelling(.outstanding, .done),
            undoing(released: "cancelled:", repaid: "repeated", round: "cancelling: release-stock")
        ),
        (
            cancelling(.done, .outstanding),
            undoing(released: "repeated", repaid: "cancelled:", round: "cancelling: cancel-payment")
        ),
        (
            cancelling(.notNeeded, .outstanding),
            undoing(released: "repeated", repaid: "cancelled:", round: "cancelling: cancel-payment")
        ),
        (
            cancelling(.outstanding, .outstanding, rounds: 1440),
            undoing(
                released: "cancelling:",
                repaid: "cancelling:",
                round: "needsOperator:",
                again: "cancelling: release-stock cancel-payment"
            )
        ),
    ]

    private static func cancelling(
        _ stock: Compensation.Step,
        _ payment: Compensation.Step,
        rounds: Int = 1
    ) -> OrderState {
        .cancelling(Compensation(reason: .customer, stock: stock, payment: payment, rounds: rounds))
    }

    private static func terminal(cancel: String) -> [String] {
        Array(repeating: "late", count: 12) + [cancel] + Array(repeating: "late", count: 5)
    }

    /// - Parameter again: what `republish` does: as a round does it, unless it was the last.
    private static func undoing(released: String, repaid: String, round: String, again: String? = nil) -> [String] {
        Array(repeating: "late", count: 5) + [released] + Array(repeating: "late", count: 5) + [repaid, "repeated"]
            + ["late", "late", "late", round, again ?? round]
    }

    @Test(arguments: table.indices)
    func everyInput(row: Int) throws {
        let (state, cells) = Self.table[row]
        #expect(cells.count == Self.columns.count)
        for (input, expected) in zip(Self.columns, cells) {
            #expect(try described(state, input) == expected, "\(state) × \(input)")
        }
    }

    private func described(_ state: OrderState, _ input: OrderInput) throws -> String {
        do throws(OrderRefusal) {
            let decision = try OrderRules.decide(try order(state), input, at: Fixture.now)
            guard decision.disposition == .applied else { return decision.disposition.rawValue }
            return ([decision.state.status.rawValue + ":"] + decision.commands.map(\.name)).joined(separator: " ")
        } catch {
            switch error {
            case .notStarted: return "notStarted"
            case .tooLate: return "tooLate"
            case .final(let status): return "final(\(status.rawValue))"
            }
        }
    }

    private func order(_ state: OrderState) throws(OrderRefusal) -> Order {
        guard let order = try? Fixture.order(state) else { throw .notStarted }
        return order
    }
}
