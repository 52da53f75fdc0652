import GRDB

extension DurableStore {
    /// Begins a new term of ownership: to be called once after the ``InstanceLock`` was taken.
    ///
    /// - Returns: the term's number, one more than the last one's; from 1.
    public func beginEpoch() async throws -> Int64 {
        try await write { transaction in
            try transaction.db.execute(sql: "UPDATE store_meta SET value = value + 1 WHERE name = 'epoch'")
            return try Int64.fetchOne(transaction.db, sql: "SELECT value FROM store_meta WHERE name = 'epoch'") ?? 0
        }
    }

    /// The number of the present term; 0 before the first.
    public func epoch() async throws -> Int64 {
        try await read { try Int64.fetchOne($0, sql: "SELECT value FROM store_meta WHERE name = 'epoch'") ?? 0 }
    }
}
