import Testing

@testable import RabbitMQ

@Suite struct WireTests {
    static let table: RabbitMQTable = [
        "bool": true, "int": .int32(-5), "long": .int64(.min), "text": "größe", "null": .null,
        "bytes": .bytes([0, 255]),
        "double": .double(1.5), "float": .float(-2), "time": .timestamp(1_700_000_000), "short": .int16(-3),
        "ushort": .uint16(65_535), "byte": .int8(-1), "ubyte": .uint8(200), "uint": .uint32(.max),
        "decimal": .decimal(scale: 2, value: 1_234),
        "array": .array(["a", .table(["b": .array([])]), 7]),
        "x-death": .array([.table(["count": .int64(3), "reason": "expired", "routing-keys": .array(["k"])])]),
    ]

    @Test func tablesRoundTrip() {
        var bytes: [UInt8] = []
        #expect(FieldTableCodec.encode(Self.table, into: &bytes))
        var reader = ByteReader(bytes)
        #expect(FieldTableCodec.decode(&reader) == Self.table)
        #expect(reader.remaining == 0)
    }

    @Test func everyTruncatedTableIsMalformed() {
        var bytes: [UInt8] = []
        #expect(FieldTableCodec.encode(Self.table, into: &bytes))
        for length in 0..<bytes.count {
            var reader = ByteReader(bytes, range: 0..<length)
            #expect(FieldTableCodec.decode(&reader) == nil)
        }
    }

    @Test func nestingIsBounded() {
        var value = RabbitMQFieldValue.null
        for _ in 0..<12 { value = .array([.table(["n": value])]) }
        var bytes: [UInt8] = []
        #expect(!FieldTableCodec.encode(["deep": value], into: &bytes))
        // 20,000 nested lists, as a hostile sender would write them.
        let depth = 20_000
        var hostile: [UInt8] = []
        hostile.appendBigEndian(UInt32(2 + depth * 5 + 1))
        hostile += [1, UInt8(ascii: "k")]
        for level in 0..<depth {
            hostile.append(UInt8(ascii: "A"))
            hostile.appendBigEndian(UInt32((depth - level - 1) * 5 + 1))
        }
        hostile.append(UInt8(ascii: "V"))
        var reader = ByteReader(hostile)
        #expect(FieldTableCodec.decode(&reader) == nil)
    }

    @Test func textThatIsNotUTF8IsBytes() {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(UInt32(2 + 1 + 4 + 2))
        bytes += [1, UInt8(ascii: "k"), UInt8(ascii: "S"), 0, 0, 0, 2, 0xC3, 0x28]
        var reader = ByteReader(bytes)
        #expect(FieldTableCodec.decode(&reader) == ["k": .bytes([0xC3, 0x28])])
    }

    @Test func propertiesRoundTrip() throws {
        let properties = RabbitMQProperties(
            contentType: "application/json",
            contentEncoding: "identity",
            headers: Self.table,
            deliveryMode: .persistent,
            priority: 3,
            correlationID: "c",
            replyTo: "r",
            expiration: "1000",
            messageID: "m",
            timestamp: 1_700_000_000,
            type: "t",
            userID: "u",
            appID: "a"
        )
        for properties in [properties, RabbitMQProperties(), RabbitMQProperties(messageID: "only")] {
            var bytes: [UInt8] = []
            #expect(PropertyCodec.encode(properties, bodySize: 77, into: &bytes))
            let header = try #require(PropertyCodec.decode(ByteReader(bytes)))
            #expect(header.properties == properties)
            #expect(header.bodySize == 77)
            #expect(!header.isMalformed)
        }
    }

    @Test func brokenHeadersDoNotHideTheMessageID() throws {
        var bytes: [UInt8] = []
        #expect(
            PropertyCodec.encode(RabbitMQProperties(headers: ["k": "v"], messageID: "m"), bodySize: 1, into: &bytes)
        )
        let position = try #require(bytes.lastIndex(of: UInt8(ascii: "S")))
        bytes[position] = 0x7F
        let header = try #require(PropertyCodec.decode(ByteReader(bytes)))
        #expect(header.isMalformed)
        #expect(header.properties.messageID == "m")
        #expect(header.properties.headers.isEmpty)
    }

    @Test func longTextsAreRefused() {
        var bytes: [UInt8] = []
        let text = String(repeating: "ä", count: 128)
        #expect(!PropertyCodec.encode(RabbitMQProperties(messageID: text), bodySize: 0, into: &bytes))
        #expect(!PropertyCodec.encode(RabbitMQProperties(headers: [text: 1]), bodySize: 0, into: &bytes))
    }

    @Test func randomBytesNeverTrap() throws {
        var generator = SplitMix(seed: 3)
        var valid: [UInt8] = []
        #expect(PropertyCodec.encode(RabbitMQProperties(headers: Self.table, type: "t"), bodySize: 9, into: &valid))
        let methods = MethodDecoder()
        for round in 0..<20_000 {
            var bytes = valid
            if round % 2 == 0 {
                bytes = (0..<Int.random(in: 0..<120, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
            } else {
                for _ in 0..<3 {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
                        in: 0...255,
                        using: &generator
                    )
                }
            }
            _ = PropertyCodec.decode(ByteReader(bytes))
            // Half of the time with a method number that exists, so that its arguments are read.
            if round % 4 == 0, bytes.count >= 4 {
                let classID = [10, 20, 40, 50, 60, 85].randomElement(using: &generator) ?? 60
                bytes.replaceSubrange(
                    0..<4,
                    with: [0, UInt8(classID), 0, UInt8.random(in: 10...130, using: &generator)]
                )
            }
            _ = try? methods.decode(ByteReader(bytes))
            var decoder = FrameDecoder(maximumFrameSize: 4_096)
            bytes.withUnsafeBytes { decoder.append($0) }
            while let frame = try? decoder.next() { _ = frame.payload.remaining }
        }
    }
}

@Suite struct FrameDecoderTests {
    private func frame(_ kind: UInt8, channel: UInt16, _ payload: [UInt8], mark: UInt8 = 0xCE) -> [UInt8] {
        var bytes: [UInt8] = [kind]
        bytes.appendBigEndian(channel)
        bytes.appendBigEndian(UInt32(payload.count))
        return bytes + payload + [mark]
    }

    private func payload(_ frame: Frame) -> [UInt8] { frame.payload.withUnsafeRemainingBytes { Array($0) } }

    @Test(arguments: 1...40)
    func cutsAnyStreamIntoFrames(step: Int) throws {
        let stream = frame(1, channel: 2, [1, 2, 3]) + frame(8, channel: 0, []) + frame(3, channel: 65_535, [9])
        var decoder = FrameDecoder(maximumFrameSize: 64)
        var seen: [String] = []
        for start in stride(from: 0, to: stream.count, by: step) {
            stream[start..<min(start + step, stream.count)].withUnsafeBytes { decoder.append($0) }
            while let frame = try decoder.next() { seen.append("\(frame.kind) \(frame.channel) \(payload(frame))") }
        }
        #expect(seen == ["method 2 [1, 2, 3]", "heartbeat 0 []", "body 65535 [9]"])
        #expect(decoder.bufferedBytes == 0)
    }

    @Test func refusesWhatIsNoFrame() {
        for bytes in [
            frame(1, channel: 1, [1], mark: 0), frame(4, channel: 1, []),
            frame(1, channel: 1, Array(repeating: 0, count: 57)),
            [1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF],
        ] {
            var decoder = FrameDecoder(maximumFrameSize: 64)
            bytes.withUnsafeBytes { decoder.append($0) }
            #expect { try decoder.next() } throws: { ($0 as? RabbitMQError)?.code == .protocolViolation }
        }
    }

    @Test func takesTheLargestFrame() throws {
        var decoder = FrameDecoder(maximumFrameSize: 64)
        frame(3, channel: 1, Array(repeating: 7, count: 56)).withUnsafeBytes { decoder.append($0) }
        let largest = try decoder.next()
        #expect(largest?.payload.remaining == 56)
    }
}

@Suite struct ContentAssemblerTests {
    private let method = ServerMethod.deliver(
        .init(consumerTag: "c", deliveryTag: 1, isRedelivered: false, exchange: "e", routingKey: "k")
    )

    private func header(_ size: Int) -> ByteReader {
        var bytes: [UInt8] = []
        #expect(PropertyCodec.encode(RabbitMQProperties(messageID: "m"), bodySize: size, into: &bytes))
        return ByteReader(bytes)
    }

    @Test func putsBodiesTogether() throws {
        var assembler = ContentAssembler(maximumBodySize: 10)
        try assembler.begin(method)
        #expect(try assembler.header(header(5)) == nil)
        #expect(try assembler.body(ByteReader([1, 2])) == nil)
        #expect(try assembler.body(ByteReader([])) == nil)
        let content = try #require(try assembler.body(ByteReader([3, 4, 5])))
        #expect(content.body == [1, 2, 3, 4, 5])
        #expect(content.properties.messageID == "m")
        #expect(!content.isOversized)
        try assembler.begin(method)
        #expect(try assembler.header(header(0))?.body == [])
        #expect(assembler.isIdle)
    }

    @Test func throwsLargeBodiesAway() throws {
        var assembler = ContentAssembler(maximumBodySize: 4)
        try assembler.begin(method)
        #expect(try assembler.header(header(5)) == nil)
        let content = try #require(try assembler.body(ByteReader([1, 2, 3, 4, 5])))
        #expect(content.isOversized)
        #expect(content.body.isEmpty)
    }

    @Test func refusesWhatDoesNotFollow() throws {
        var assembler = ContentAssembler(maximumBodySize: 10)
        #expect(throws: RabbitMQError.self) { try assembler.header(header(1)) }
        #expect(throws: RabbitMQError.self) { try assembler.body(ByteReader([1])) }
        try assembler.begin(method)
        #expect(throws: RabbitMQError.self) { try assembler.begin(method) }
        #expect(throws: RabbitMQError.self) { try assembler.body(ByteReader([1])) }
        #expect(try assembler.header(header(2)) == nil)
        #expect(throws: RabbitMQError.self) { try assembler.header(header(2)) }
        #expect(throws: RabbitMQError.self) { try assembler.body(ByteReader([1, 2, 3])) }
    }
}
