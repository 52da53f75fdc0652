import Messaging

/// Deletes dead letters that were decided upon long ago, now and then. Held ones stay until somebody decides.
public struct DeadLetterRetention: Sendable {
    private let desk: DeadLetterDesk
    private let retention: Duration
    private let interval: Duration

    /// Makes the job.
    ///
    /// - Parameters:
    ///   - retention: how long requeued and discarded letters are kept.
    ///   - interval: the time between two rounds.
    public init(
        desk: DeadLetterDesk,
        retention: Duration = MessageLifetimes.standard.decidedRetention,
        interval: Duration = .seconds(600)
    ) {
        self.desk = desk
        self.retention = retention
        self.interval = interval
    }

    /// One round.
    ///
    /// - Returns: how many letters were deleted.
    @discardableResult
    public func purge() async throws -> Int {
        let cutoff = desk.store.clock.now().advanced(byMilliseconds: -retention.wholeMilliseconds)
        return try await desk.purge(
            DeadLetterFilter(state: nil),
            decidedBefore: cutoff,
            DeadLetterActor("retention", reason: "kept long enough")
        )
    }

    /// Runs until the task is cancelled or the store is closed.
    ///
    /// - Throws: a ``Failure`` of class fatal from the store.
    public func run() async throws {
        while !Task.isCancelled {
            do {
                try await purge()
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
