import Glibc
import Synchronization

/// Random bits of the operating system, fetched 32 numbers at a time: identifiers are made by the dozen for each message, and a system
/// call for each number costs more than the rest of an identifier.
///
/// What is in the pool has not been given out and is given out once. Not for keys: those come from the cryptographic library.
final class RandomPool: Sendable {
    /// 256 bytes, the most that `getentropy(3)` gives at once.
    private static let size = 32

    private let numbers = Mutex<[UInt64]>([])

    /// 64 random bits.
    func next() -> UInt64 {
        numbers.withLock { numbers in
            if let number = numbers.popLast() { return number }
            numbers = Self.fetched()
            return numbers.removeLast()
        }
    }

    private static func fetched() -> [UInt64] {
        var numbers = [UInt64](repeating: 0, count: size)
        let result = numbers.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) }
        // It fails only where the kernel has no random bits at all; the standard library then says so and stops.
        return result == 0 ? numbers : numbers.map { _ in UInt64.random(in: .min ... .max) }
    }
}
