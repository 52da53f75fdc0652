import Messaging
import Synchronization

/// Slows a consumer down while the store cannot write, since a message that is given back comes again at once.
final class StorePause: Sendable {
    private let failures = Mutex(0)
    private let store: DurableStore

    init(_ store: DurableStore) { self.store = store }

    /// Waits 100 ms, 200 ms … 5 s after consecutive failures of the store; not at all after a success.
    func afterBatch(_ failure: Failure?) async {
        guard failure != nil else {
            failures.withLock { $0 = 0 }
            return
        }
        let count = failures.withLock { count in
            count += 1
            return count
        }
        await store.pause(for: .milliseconds(min(5000, 100 << min(count - 1, 6))))
    }
}
