import Commerce
import DurableStore
import Messaging
import PaymentCore

/// Stores what an answer of the gateway means: for the intent, and through its outcome for the payment. The same for calls,
/// look-ups and callbacks.
struct IntentSettlement: Sendable {
    let policy: IntentPolicy
    let unit: PaymentUnit

    /// - Returns: whether anything changed; no when the intent was settled before or is not known.
    func apply(_ answer: GatewayAnswer, toKey key: String, sentAt: Timestamp?, in tx: Transaction) throws -> Bool {
        guard let (orderID, known) = try IntentTable.load(key: key, in: tx.db) else { return false }
        var intent = known
        let outcome = intent.step(answer, sentAt: sentAt, now: tx.now, policy: policy, random: tx.random())
        guard intent != known else { return false }
        try IntentTable.save(intent, at: tx.now, in: tx.db)
        if let outcome {
            try unit.apply(.settled(intent.kind, outcome), to: orderID, origin: nil, in: tx)
        }
        return true
    }
}
