import GRDB
public import Messaging

extension DurableStore {
    /// Deletes inbox rows received before a time, in bounded batches.
    ///
    /// Ids must be kept at least as long as the longest way on which a message can come back: queues, retries, dead
    /// letters and the log's retention. The default of ``InboxRetention`` is 30 days.
    ///
    /// - Parameter batch: the most rows in one unit.
    /// - Returns: how many were deleted.
    @discardableResult
    public func purgeInbox(receivedBefore cutoff: Timestamp, batch: Int = 500) async throws -> Int {
        var total = 0
        while true {
            let count = try await write { try InboxTable.purge(receivedBefore: cutoff, limit: batch, in: $0.db) }
            total += count
            if count < batch || Task.isCancelled { return total }
        }
    }

    /// Forgets what a consumer has handled, what of it is parked and where it stood, in bounded batches: before it reads everything again.
    public func forgetConsumer(_ consumer: String, batch: Int = 1000) async throws {
        while true {
            let count = try await write { try InboxTable.forget(consumer: consumer, limit: batch, in: $0.db) }
            if count < batch { break }
        }
        try await write { transaction in
            try OffsetTable.forget(consumer: consumer, in: transaction.db)
            try ParkedTable.forget(consumer: consumer, in: transaction.db)
        }
    }
}

/// Deletes old inbox rows now and then.
public struct InboxRetention: Sendable {
    private let store: DurableStore
    private let retention: Duration
    private let interval: Duration

    /// Makes the job.
    ///
    /// - Parameters:
    ///   - retention: how long ids are remembered.
    ///   - interval: the time between two rounds.
    public init(
        store: DurableStore,
        retention: Duration = MessageLifetimes.standard.inboxRetention,
        interval: Duration = .seconds(60)
    ) {
        self.store = store
        self.retention = retention
        self.interval = interval
    }

    /// Runs until the task is cancelled or the store is closed.
    ///
    /// - Throws: a ``Failure`` of class fatal from the store.
    public func run() async throws {
        while !Task.isCancelled {
            do {
                let cutoff = store.clock.now().advanced(byMilliseconds: -retention.wholeMilliseconds)
                try await store.purgeInbox(receivedBefore: cutoff)
                try await Task.sleep(for: interval)
            } catch is CancellationError {
                return
            } catch {
                let failure = Failure(classifyingStoreError: error)
                if failure.failureClass == .fatal { throw failure }
                if failure.code == Failure.storeClosed.code { return }
                try? await Task.sleep(for: interval)
            }
        }
    }
}
