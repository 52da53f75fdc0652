import Synchronization

/// Where identifiers come from. Passed in, so that a test or a simulation decides them.
public protocol IDGenerator: Sendable {
    /// A new identifier, unique for ever. Safe to call from any thread.
    func next(at now: Timestamp) -> String
}

/// Makes UUIDs of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then a counter, then random bits.
///
/// Ids of one generator rise strictly, also within a millisecond and when the clock steps back (method 1 of section 6.2:
/// the 12 bits of `rand_a` count; the timestamp is carried forward when they are used up).
public final class UUIDv7Generator: IDGenerator {
    private struct State {
        var milliseconds: Int64 = 0
        var counter: UInt16 = 0
    }

    private let state = Mutex(State())
    private let random: @Sendable () -> UInt64

    /// Makes a generator.
    ///
    /// - Parameter random: 64 random bits at each call, from any thread.
    public init(random: @escaping @Sendable () -> UInt64) {
        self.random = random
    }

    /// Makes a generator on the random bits of the operating system.
    public convenience init() {
        let pool = RandomPool()
        self.init(random: pool.next)
    }

    public func next(at now: Timestamp) -> String {
        let bits = random()
        let (milliseconds, counter) = state.withLock { state in
            if now.millisecondsSinceEpoch > state.milliseconds {
                state.milliseconds = now.millisecondsSinceEpoch
                // Half of the counter's range is left free above the random start, so that it rarely runs over.
                state.counter = UInt16(truncatingIfNeeded: bits >> 52) & 0x07FF
            } else if state.counter == 0x0FFF {
                state.milliseconds += 1
                state.counter = 0
            } else {
                state.counter += 1
            }
            return (state.milliseconds, state.counter)
        }
        let high = UInt64(bitPattern: milliseconds) << 16 | 0x7000 | UInt64(counter)
        let low = random() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return uuidText(high: high, low: low)
    }
}

/// The canonical lower-case text of 128 bits (RFC 9562, section 4).
private func uuidText(high: UInt64, low: UInt64) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(36)
    for index in 0..<16 {
        if index == 4 || index == 6 || index == 8 || index == 10 { text.append(UInt8(ascii: "-")) }
        let word = index < 8 ? high : low
        let byte = UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * (index % 8)))
        text.append(hexDigit(byte >> 4))
        text.append(hexDigit(byte & 0x0F))
    }
    return String(decoding: text, as: UTF8.self)
}

private func hexDigit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}
