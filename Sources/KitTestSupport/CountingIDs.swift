public import Messaging
import Synchronization

/// Identifiers that can be foretold: `id-1`, `id-2` …
public final class CountingIDs: IDGenerator {
    private let prefix: String
    private let count = Mutex(0)

    /// Makes a generator.
    public init(prefix: String = "id-") { self.prefix = prefix }

    /// The next number, whatever the time.
    public func next(at now: Timestamp) -> String {
        prefix
            + String(
                count.withLock { count in
                    count += 1
                    return count
                }
            )
    }
}
