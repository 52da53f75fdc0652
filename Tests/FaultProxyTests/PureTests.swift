import NIOCore
import Testing

@testable import FaultProxy

/// What the proxy decides, without a socket.
struct PureTests {
    private static let amqpFrame: [UInt8] = [1, 0, 1, 0, 0, 0, 3, 10, 20, 30, 0xCE]

    @Test("The end of an AMQP frame is found behind the greeting, however the stream is cut", arguments: 1...20)
    func amqpEnds(piece: Int) {
        let stream = Array("AMQP\0\0\u{9}\u{1}".utf8) + Self.amqpFrame + Self.amqpFrame
        var scanner = FrameScanner(.amqp)
        var found: [Int] = []
        for start in stride(from: 0, to: stream.count, by: piece) {
            let part = Array(stream[start..<min(start + piece, stream.count)])
            found += scanner.vulnerable(in: part).map { $0 + start }
        }
        #expect(found == [18, 29])
        #expect(found.allSatisfy { stream[$0] == 0xCE })
    }

    @Test("Only large Kafka frames are damaged, in their last byte", arguments: [1, 7, 600, 5000])
    func kafkaEnds(piece: Int) {
        let small: [UInt8] = [0, 0, 0, 2, 9, 9]
        let large: [UInt8] = [0, 0, 2, 88] + [UInt8](repeating: 7, count: 600)
        let stream = small + large + small
        var scanner = FrameScanner(.kafka)
        var found: [Int] = []
        for start in stride(from: 0, to: stream.count, by: piece) {
            found += scanner.vulnerable(in: Array(stream[start..<min(start + piece, stream.count)])).map { $0 + start }
        }
        #expect(found == [small.count + large.count - 1])
    }

    @Test("HTTP is damaged in the start line only")
    func httpStart() {
        var scanner = FrameScanner(.http)
        #expect(scanner.vulnerable(in: Array("HTTP/1.1 200 OK\r\n".utf8)) == [0])
        #expect(scanner.vulnerable(in: Array("{\"amount\":100}".utf8)) == [])
        #expect(scanner.vulnerable(in: Array("POST /v1/orders HTTP/1.1\r\n".utf8)) == [0])
    }

    @Test("A Kafka server's address is replaced, however its answer is cut", arguments: [1, 3, 10, 4096])
    func rewrites(piece: Int) {
        func address(_ port: UInt16) -> [UInt8] {
            [0, 9] + Array("127.0.0.1".utf8) + [0, 0, UInt8(port >> 8), UInt8(port & 0xff)]
        }
        func frame(_ body: [UInt8]) -> [UInt8] { [0, 0, UInt8(body.count >> 8), UInt8(body.count & 0xff)] + body }
        let before = frame([1, 2, 3] + address(9092) + [4] + address(9093)) + frame([]) + frame(address(9092))
        let after = frame([1, 2, 3] + address(40_000) + [4] + address(9093)) + frame([]) + frame(address(40_000))
        var rewriter = AddressRewriter(server: 9092, proxy: 40_000)
        var out: [UInt8] = []
        for start in stride(from: 0, to: before.count, by: piece) {
            let part = rewriter.feed(ByteBuffer(bytes: before[start..<min(start + piece, before.count)]))
            out += part.readableBytesView
        }
        #expect(out == after)
    }

    @Test("A large Kafka frame passes unchanged and is not held back")
    func largePasses() {
        let size = AddressRewriter.largestSearched + 100
        let frame =
            [0, UInt8(size >> 16), UInt8(size >> 8 & 0xff), UInt8(size & 0xff)] + [UInt8](repeating: 5, count: size)
        var rewriter = AddressRewriter(server: 1, proxy: 2)
        #expect(rewriter.feed(ByteBuffer(bytes: frame[..<1000])).readableBytes == 1000)
        #expect(Array(rewriter.feed(ByteBuffer(bytes: frame[1000...])).readableBytesView) == Array(frame[1000...]))
    }

    @Test("No fault loses, adds or reorders a byte, unless it says so")
    func keepsBytes() {
        let bytes = (0..<2000).map { UInt8($0 & 0xff) }
        for fault: LinkFault? in [
            nil, .latency(delay: .milliseconds(5), jitter: .milliseconds(50)), .bandwidth(bytesPerSecond: 1000),
            .slice(largest: 3), .stall,
        ] {
            var shaper = FlowShaper(.toServer, framing: .http, seed: 1)
            var out: [UInt8] = []
            var last = NIODeadline.uptimeNanoseconds(0)
            for start in stride(from: 0, to: bytes.count, by: 500) {
                let now = NIODeadline.uptimeNanoseconds(UInt64(start))
                let outcome = shaper.shape(ByteBuffer(bytes: bytes[start..<start + 500]), under: fault, at: now)
                for piece in outcome.pieces {
                    #expect(piece.due >= last)
                    last = piece.due
                    out += piece.bytes.readableBytesView
                }
                #expect(!outcome.isHoled)
            }
            #expect(out == bytes)
        }
    }

    @Test("Bandwidth makes bytes wait for each other")
    func bandwidth() {
        var shaper = FlowShaper(.toServer, framing: .http, seed: 1)
        let chunk = ByteBuffer(repeating: 0, count: 500)
        let start = NIODeadline.uptimeNanoseconds(0)
        let due = (0..<4).compactMap { _ in
            shaper.shape(chunk, under: .bandwidth(bytesPerSecond: 1000), at: start).pieces.last?.due
        }
        #expect(due.map { ($0 - start).nanoseconds } == [500_000_000, 1_000_000_000, 1_500_000_000, 2_000_000_000])
    }

    @Test("A one-way cut swallows its direction only, and says so")
    func oneWay() {
        for direction in LinkFault.Direction.allCases {
            var shaper = FlowShaper(direction, framing: .http, seed: 1)
            let outcome = shaper.shape(ByteBuffer(string: "x"), under: .oneWayCut(.toClient), at: .now())
            #expect(outcome.isHoled == (direction == .toClient))
            #expect(outcome.pieces.isEmpty == (direction == .toClient))
        }
    }

    @Test("The same seed damages the same frames; damage never leaves the frame's end")
    func damage() {
        func run(_ seed: UInt64) -> [[UInt8]] {
            var shaper = FlowShaper(.toServer, framing: .amqp, seed: seed)
            return (0..<40).flatMap { _ in
                shaper.shape(ByteBuffer(bytes: Self.amqpFrame), under: .damage(oneIn: 4), at: .now()).pieces
                    .map { Array($0.bytes.readableBytesView) }
            }
        }
        #expect(run(7) == run(7))
        let damaged = run(7).filter { $0 != Self.amqpFrame }
        #expect((4...25).contains(damaged.count))
        #expect(damaged.allSatisfy { $0.dropLast() == Self.amqpFrame.dropLast() })
    }

    /// The regression: the first frame of each connection was damaged always, so that none survived its handshake.
    @Test("The first frame of a connection is damaged as seldom as any other")
    func firstFrame() {
        let damaged = (1...200).count { seed in
            var shaper = FlowShaper(.toServer, framing: .amqp, seed: UInt64(seed))
            let outcome = shaper.shape(ByteBuffer(bytes: Self.amqpFrame), under: .damage(oneIn: 10), at: .now())
            return outcome.pieces.map(\.bytes) != [ByteBuffer(bytes: Self.amqpFrame)]
        }
        #expect((5...45).contains(damaged))
    }

    @Test("Slices are small, apart in time, in order and complete", arguments: 1...5)
    func slices(largest: Int) {
        let bytes = (0..<200).map { UInt8($0) }
        var shaper = FlowShaper(.toServer, framing: .http, seed: 1)
        let outcome = shaper.shape(ByteBuffer(bytes: bytes), under: .slice(largest: largest), at: .now())
        #expect(outcome.pieces.allSatisfy { 1...largest ~= $0.bytes.readableBytes })
        #expect(zip(outcome.pieces, outcome.pieces.dropFirst()).allSatisfy { $0.due < $1.due })
        #expect(outcome.pieces.flatMap { Array($0.bytes.readableBytesView) } == bytes)
    }
}
