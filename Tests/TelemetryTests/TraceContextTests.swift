import Telemetry
import Testing

/// A generator whose sequence depends on the seed alone.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite("W3C trace context")
struct TraceContextTests {
    static let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("reads and writes the example of the specification")
    func example() throws {
        let context = try #require(TraceContext(traceparent: Self.good))
        #expect(context.traceID.description == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context.spanID.description == "00f067aa0ba902b7")
        #expect(context.isSampled)
        #expect(context.traceparent == Self.good)
    }

    @Test(
        "refuses",
        arguments: [
            "", "00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ]
    )
    func refuses(text: String) { #expect(TraceContext(traceparent: text) == nil) }

    @Test("a later version is read as far as it is known, and written as 00")
    func laterVersion() throws {
        let context = try #require(
            TraceContext(traceparent: "cc-" + Self.good.dropFirst(3) + "-what-the-future-brings")
        )
        #expect(context.traceparent == Self.good)
    }

    @Test("what is written is read back the same", arguments: 0..<20)
    func roundTrip(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            let root = TraceContext.root(sampled: Bool.random(using: &random), using: &random)
            #expect(TraceContext(traceparent: root.traceparent) == root)
            let child = root.child(using: &random)
            #expect(child.traceID == root.traceID)
            #expect(child.spanID != root.spanID)
            #expect(child.isSampled == root.isSampled)
            #expect(root.traceparent.utf8.count == 55)
        }
    }

    @Test("mutations are refused or read as something that writes the same", arguments: 0..<10)
    func mutations(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<500 {
            var bytes = Array(Self.good.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0x20...0x7E, using: &random)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let context = TraceContext(traceparent: text) else { continue }
            #expect(context.traceparent.dropFirst(2) == text.dropFirst(2))
        }
    }

    @Test("unknown flags come in as they are and do not go on")
    func flags() throws {
        let context = try #require(TraceContext(traceparent: Self.good.dropLast(2) + "ff"))
        #expect(context.flags == 0xFF)
        var random = SplitMix64(seed: 1)
        #expect(context.child(using: &random).flags == 1)
    }

    @Test("the state is handed on while it is short and printable")
    func states() {
        #expect(TraceContext(traceparent: Self.good, tracestate: "a=1,b=2")?.child().state == "a=1,b=2")
        #expect(TraceContext(traceparent: Self.good, tracestate: "a\r\nb: 1")?.state == nil)
        #expect(TraceContext(traceparent: Self.good, tracestate: String(repeating: "x", count: 513))?.state == nil)
        #expect(TraceContext(traceparent: Self.good, tracestate: "")?.state == nil)
    }

    @Test("a generator that gives only zeros still gives valid ids")
    func zeros() {
        struct Zeros: RandomNumberGenerator { mutating func next() -> UInt64 { 0 } }
        var zeros = Zeros()
        let context = TraceContext.root(using: &zeros)
        #expect(TraceContext(traceparent: context.traceparent) == context)
    }
}
