import Commerce
public import DurableStore
import Messaging
import OrderCore

/// What happens when a deadline of this service passes.
public struct OrderDeadlines: Sendable {
    /// The name of the deadline that deletes old idempotency keys.
    static let purge = "purge-idempotency-keys"
    private static let purgePause = Duration.seconds(600)

    private let process: OrderProcess

    init(process: OrderProcess) {
        self.process = process
    }

    /// Handles one deadline whose row was deleted in the same unit.
    ///
    /// - Throws: a ``Failure`` of class poison for a name or subject that this service never sets.
    public func passed(_ name: String, _ subject: String, in tx: Transaction) throws {
        guard name != Self.purge else { return try purgeKeys(tx) }
        guard let deadline = OrderDeadline(rawValue: name), let id = OrderID(subject) else {
            throw Failure(.poison, code: "unknown-deadline", "This service sets no deadline of that name and subject.")
        }
        guard let stored = try OrderTable.find(id, in: tx.db) else {
            throw Failure(.poison, code: "unknown-order", "A deadline is about an order that does not exist.")
        }
        try process.happen(.deadline(deadline), to: stored, cause: .noMessage(traceparent: stored.traceparent), in: tx)
    }

    /// Makes sure that old keys get deleted from now on. Called at every start; moves a deadline that is already there.
    static func schedulePurge(in tx: Transaction) throws {
        try tx.setDeadline(purge, for: "order", at: tx.now)
    }

    /// One bounded batch; the next one at once while there is more.
    private func purgeKeys(_ tx: Transaction) throws {
        let isFull = try IdempotencyTable.purge(at: tx.now, in: tx.db) == IdempotencyTable.purgeBatch
        try tx.setDeadline(Self.purge, for: "order", at: isFull ? tx.now : tx.now.advanced(by: Self.purgePause))
    }
}
