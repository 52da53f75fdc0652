/// Where in a distributed trace we are: the W3C Trace Context (https://www.w3.org/TR/trace-context/), level 1.
///
/// A message or request that comes in carries the sender's context; each unit of work continues it with ``child(using:)`` and hands
/// its own context on. Values are cheap to copy; randomness is passed in.
public struct TraceContext: Sendable, Hashable {
    /// Identity of a whole trace: 128 bits, never all zero.
    public struct TraceID: Sendable, Hashable, CustomStringConvertible {
        /// The first eight bytes.
        public let high: UInt64
        /// The last eight bytes.
        public let low: UInt64

        /// Nil when both halves are zero.
        public init?(high: UInt64, low: UInt64) {
            guard high != 0 || low != 0 else { return nil }
            self.high = high
            self.low = low
        }

        /// 32 lowercase hexadecimal digits.
        public var description: String { TraceHex.text(high) + TraceHex.text(low) }
    }

    /// Identity of one unit of work in a trace: 64 bits, never zero.
    public struct SpanID: Sendable, Hashable, CustomStringConvertible {
        /// The eight bytes.
        public let value: UInt64

        /// Nil when zero.
        public init?(_ value: UInt64) {
            guard value != 0 else { return nil }
            self.value = value
        }

        /// 16 lowercase hexadecimal digits.
        public var description: String { TraceHex.text(value) }
    }

    /// The trace.
    public let traceID: TraceID
    /// The unit of work.
    public let spanID: SpanID
    /// The flags byte as it was received; only bit 0 (sampled) has a meaning in level 1.
    public let flags: UInt8
    /// The `tracestate` header, handed on unread; nil when there is none or it was over ``maxStateBytes``.
    public let state: String?

    /// Longest `tracestate` that is handed on, in bytes (the specification asks for at least 512).
    public static let maxStateBytes = 512

    /// The context of the work that this task does; the log handler writes its ids into each line.
    ///
    /// Not seen on threads of C libraries: hand it over there.
    @TaskLocal public static var current: TraceContext?

    /// Creates a context from its parts.
    public init(traceID: TraceID, spanID: SpanID, flags: UInt8 = 1, state: String? = nil) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
        self.state = state.flatMap { Self.isUsableState($0) ? $0 : nil }
    }

    /// Reads the header values. Nil when `traceparent` breaks the format: then a new trace is to be started.
    ///
    /// Version 00 must have exactly 55 bytes; a later version may have more after a dash, and its known part is used.
    public init?(traceparent: String, tracestate: String? = nil) {
        let bytes = Array(traceparent.utf8.prefix(64))
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = TraceHex.value(bytes[0..<2]), version != 0xFF,
            let high = TraceHex.value(bytes[3..<19]), let low = TraceHex.value(bytes[19..<35]),
            let span = TraceHex.value(bytes[36..<52]), let flags = TraceHex.value(bytes[53..<55]),
            let traceID = TraceID(high: high, low: low), let spanID = SpanID(span)
        else { return nil }
        if version == 0 {
            guard bytes.count == 55 else { return nil }
        } else {
            guard bytes.count == 55 || bytes[55] == dash else { return nil }
        }
        self.init(traceID: traceID, spanID: spanID, flags: UInt8(truncatingIfNeeded: flags), state: tracestate)
    }

    /// Whether the caller recorded this trace.
    public var isSampled: Bool { flags & 1 == 1 }

    /// The value for a `traceparent` header, always as version 00.
    public var traceparent: String {
        "00-\(traceID)-\(spanID)-\(TraceHex.text(flags))"
    }

    /// Starts a trace.
    public static func root(sampled: Bool = true, using generator: inout some RandomNumberGenerator) -> TraceContext {
        let traceID = TraceID(high: generator.next(), low: generator.next()) ?? .fallback
        return TraceContext(traceID: traceID, spanID: newSpan(&generator), flags: sampled ? 1 : 0)
    }

    /// Starts a trace with the system's randomness.
    public static func root(sampled: Bool = true) -> TraceContext {
        var generator = SystemRandomNumberGenerator()
        return root(sampled: sampled, using: &generator)
    }

    /// A unit of work caused by this one: same trace, new span, and of the flags only the sampled one
    /// (the others are reserved and must be sent as zero).
    public func child(using generator: inout some RandomNumberGenerator) -> TraceContext {
        TraceContext(traceID: traceID, spanID: Self.newSpan(&generator), flags: flags & 1, state: state)
    }

    /// A unit of work caused by this one, with the system's randomness.
    public func child() -> TraceContext {
        var generator = SystemRandomNumberGenerator()
        return child(using: &generator)
    }

    private static func newSpan(_ generator: inout some RandomNumberGenerator) -> SpanID {
        // A generator that only ever gives zeros (a broken test double) must neither hang us nor give an invalid id.
        SpanID(generator.next()) ?? SpanID(generator.next()) ?? .fallback
    }

    private static func isUsableState(_ state: String) -> Bool {
        !state.isEmpty && state.utf8.count <= maxStateBytes && state.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    }
}

extension TraceContext.TraceID {
    fileprivate init(nonZeroLow low: UInt64) {
        high = 0
        self.low = low | 1
    }

    fileprivate static let fallback = TraceContext.TraceID(nonZeroLow: 1)
}

extension TraceContext.SpanID {
    fileprivate init(nonZero value: UInt64) { self.value = value | 1 }

    fileprivate static let fallback = TraceContext.SpanID(nonZero: 1)
}

/// Lowercase hexadecimal, as the trace context wants it.
enum TraceHex {
    static func text<T: FixedWidthInteger & UnsignedInteger>(_ value: T) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: T.bitWidth / 4 - digits.utf8.count) + digits
    }

    /// Nil when a byte is not one of 0–9 and a–f, or there are more than 16.
    static func value(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard !digits.isEmpty, digits.count <= 16 else { return nil }
        var value: UInt64 = 0
        for byte in digits {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}
