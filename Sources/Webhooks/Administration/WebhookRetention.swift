public import DurableStore
import GRDB
import Messaging

/// Removes what is older than the retention: finished deliveries with their attempts, then events that nothing points to.
public struct WebhookRetention: Sendable {
    private let store: DurableStore
    private let keep: Duration
    private let batch: Int

    /// Makes a retention.
    ///
    /// - Parameters:
    ///   - keep: counts from the end of a delivery.
    ///   - batch: the most deliveries in one unit.
    public init(store: DurableStore, keep: Duration = .seconds(30 * 86_400), batch: Int = 500) {
        self.store = store
        self.keep = keep
        self.batch = batch
    }

    /// Removes in small units until nothing is old enough.
    /// - Returns: how many deliveries were removed.
    @discardableResult
    public func purge() async throws -> Int {
        var total = 0
        while true {
            let count = try await store.write { [keep, batch] tx in
                let limit = tx.now.advanced(byMilliseconds: -keep.wholeMilliseconds).millisecondsSinceEpoch
                let seqs = try Row.fetchAll(
                    tx.db.cachedStatement(
                        sql: """
                            SELECT seq, message_id FROM webhook_deliveries
                            WHERE completed_at IS NOT NULL AND completed_at < ? AND state <> 'parked' LIMIT ?
                            """
                    ),
                    arguments: [limit, batch]
                )
                for row in seqs {
                    let seq: Int64 = row[0]
                    let message: String = row[1]
                    try tx.db.cachedStatement(sql: "DELETE FROM webhook_attempts WHERE delivery_seq = ?")
                        .run([seq])
                    try tx.db.cachedStatement(sql: "DELETE FROM webhook_deliveries WHERE seq = ?").run([
                        seq
                    ])
                    try tx.db.cachedStatement(
                        sql: """
                            DELETE FROM webhook_messages WHERE id = ?1
                                AND NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE message_id = ?1)
                            """
                    ).run([message])
                }
                return seqs.count
            }
            total += count
            guard count == batch else { return total }
        }
    }

    /// Purges now and every ten minutes, until cancelled.
    public func run() async throws {
        while true {
            _ = try? await purge()
            try await Task.sleep(for: .seconds(600))
        }
    }
}
