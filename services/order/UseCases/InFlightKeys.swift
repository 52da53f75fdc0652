import Synchronization

/// The idempotency keys that are being handled now. Bounded by the number of requests at a time.
final class InFlightKeys: Sendable {
    private let keys = Mutex<Set<String>>([])

    /// Claims a key; `false` when somebody holds it.
    func claim(_ key: IdempotencyKey) -> Bool {
        keys.withLock { $0.insert(key.text).inserted }
    }

    /// Lets a key go.
    func release(_ key: IdempotencyKey) {
        keys.withLock { _ = $0.remove(key.text) }
    }
}
