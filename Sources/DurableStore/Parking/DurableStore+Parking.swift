extension DurableStore {
    /// Keys of the event log that wait for another attempt, those first that have waited longest.
    ///
    /// - Parameter limit: the most keys, 1…1,000.
    public func parkedKeys(limit: Int = 100) async throws -> [ParkedKey] {
        try await read { try ParkedTable.keys(limit: min(max(limit, 1), 1000), in: $0) }
    }

    /// How much of each consumer waits; consumers of which nothing waits are missing.
    public func parkedCounts() async throws -> [ParkedCount] {
        try await read { try ParkedTable.counts(in: $0) }
    }
}
