import Messaging
import Synchronization

/// Slows a consumer down while the store cannot write, and keeps its messages meanwhile.
///
/// A message that is given back comes again at once, and a quorum queue counts each return: the 21st makes it a dead
/// letter (`RabbitMQTopology.smallestDeliveryLimit`). A full disk is no message's fault, so messages wait here,
/// unsettled, for about five minutes before they are given back: it takes a disk that is full for more than an hour and a
/// half to use the returns up. RabbitMQ takes unsettled messages back after its `consumer_timeout`, 30 minutes by
/// default. What was prefetched waits for the batches before it: with 256 messages that is a quarter of an hour at most.
final class StorePause: Sendable {
    /// The longest time until a wish to end is seen, in milliseconds.
    private static let slice = 250

    private let failures = Mutex(0)
    private let store: DurableStore

    init(_ store: DurableStore) { self.store = store }

    /// As `DurableStore.writeEach`, but units that failed because the store could not write are tried again after a pause,
    /// in order, up to ``DurableStoreConfiguration/triesBeforeGivingBack`` times. What failed otherwise is left alone;
    /// when one of the units has to stop the process, none is tried again.
    ///
    /// - Parameters:
    ///   - isEnding: asked between tries; `true` ends the waiting.
    ///   - onWait: told once of each unit that has to wait.
    func writeEach<T: Sendable>(
        _ units: [RecoverableUnit<T>],
        until isEnding: @Sendable () -> Bool,
        onWait: (_ index: Int, _ failure: Failure) -> Void = { _, _ in }
    ) async -> [Result<T, any Error>] {
        var results = await store.writeEach(units)
        for attempt in 1..<store.triesBeforeGivingBack {
            let waiting = Self.waiting(results)
            guard let first = waiting.first else { break }
            if attempt == 1 {
                for unit in waiting { onWait(unit.index, unit.failure) }
            }
            await afterBatch(first.failure, until: isEnding)
            if isEnding() || Task.isCancelled { break }
            let again = await store.writeEach(waiting.map { units[$0.index] })
            for (unit, result) in zip(waiting, again) { results[unit.index] = result }
        }
        return results
    }

    /// Waits 100 ms, 200 ms … 5 s after consecutive failures of the store; not at all after a success.
    func afterBatch(_ failure: Failure?, until isEnding: @Sendable () -> Bool = { false }) async {
        guard failure != nil else {
            failures.withLock { $0 = 0 }
            return
        }
        let count = failures.withLock { count in
            count += 1
            return count
        }
        var left = min(5000, 100 << min(count - 1, 6))
        while left > 0, !isEnding(), !Task.isCancelled {
            let milliseconds = min(left, Self.slice)
            await store.pause(for: .milliseconds(milliseconds))
            left -= milliseconds
        }
    }

    /// The units that can succeed when the store can write again.
    private static func waiting<T: Sendable>(_ results: [Result<T, any Error>]) -> [(index: Int, failure: Failure)] {
        var waiting: [(index: Int, failure: Failure)] = []
        for (index, result) in results.enumerated() {
            guard case .failure(let error) = result else { continue }
            let failure = Failure(classifyingStoreError: error)
            if failure.failureClass == .fatal { return [] }
            if failure.isOfStore, failure.failureClass == .retryable { waiting.append((index, failure)) }
        }
        return waiting
    }
}
