import GRDB

extension DurableStore {
    /// Begins a new term of ownership: to be called once after the ``InstanceLock`` was taken.
    ///
    /// - Returns: the term's number, one more than the last one's; from 1.
    public func beginEpoch() async throws -> Int64 {
        try await write { transaction in
            try transaction.db.cachedStatement(sql: "UPDATE store_meta SET value = value + 1 WHERE name = 'epoch'")
                .execute()
            return try Self.epoch(in: transaction.db)
        }
    }

    /// The number of the present term; 0 before the first.
    public func epoch() async throws -> Int64 {
        try await read { try Self.epoch(in: $0) }
    }

    private static func epoch(in db: Database) throws -> Int64 {
        try Int64.fetchOne(db.cachedStatement(sql: "SELECT value FROM store_meta WHERE name = 'epoch'")) ?? 0
    }
}
