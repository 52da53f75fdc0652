import Commerce
public import DurableStore
import Failpoints
import Messaging
public import PaymentCore

/// Takes the gateway's callbacks in: once per `webhook-id`, with the same effect as the answer that was missed.
public struct GatewayCallbacks: Sendable {
    /// What a callback came to; the raw values are stored and are labels of metrics.
    public enum Outcome: String, Sendable, Hashable {
        /// It told something new.
        case applied
        /// Its intent was settled before.
        case noop
        /// It was taken before, under the same `webhook-id`. The only one that leaves no row.
        case duplicate
        /// No intent has its key.
        case unknownKey = "unknown-key"
        /// It does not fit the intent that it names.
        case mismatch
    }

    private let store: DurableStore
    private let settlement: IntentSettlement

    /// Makes a use case.
    /// - Parameter wake: told after a commit that left something to call.
    public init(store: DurableStore, policy: IntentPolicy = IntentPolicy(), wake: @escaping @Sendable () -> Void) {
        self.store = store
        settlement = IntentSettlement(policy: policy, unit: PaymentUnit(wake: wake))
    }

    func take(_ document: GatewayDocument, webhookID: String) async throws -> Outcome {
        let settlement = settlement
        Failpoints.reach("gateway-callback.before-row", about: [document.reference])
        let outcome: Outcome = try await store.write { tx in
            guard try !CallbackTable.isKnown(webhookID, in: tx.db) else { return .duplicate }
            let outcome = try Self.apply(document, settlement, in: tx)
            try CallbackTable.insert(webhookID, document, outcome, at: tx.now, in: tx.db)
            if tx.random() % 256 == 0 { try CallbackTable.clean(at: tx.now, in: tx.db) }
            return outcome
        }
        Failpoints.reach("gateway-callback.before-answer", about: [document.reference])
        return outcome
    }

    private static func apply(
        _ document: GatewayDocument,
        _ settlement: IntentSettlement,
        in tx: Transaction
    ) throws -> Outcome {
        guard let (orderID, intent) = try IntentTable.load(key: document.key, in: tx.db) else { return .unknownKey }
        guard let stored = try PaymentTable.load(orderID, in: tx.db), let charge = stored.payment.charge else {
            return .unknownKey
        }
        let call = GatewayCall(
            key: intent.key,
            kind: intent.kind,
            orderID: orderID,
            amount: charge.amount,
            card: charge.card
        )
        guard let answer = document.answer(to: call) else { return .mismatch }
        return try settlement.apply(answer, toKey: intent.key, sentAt: nil, in: tx) ? .applied : .noop
    }
}
