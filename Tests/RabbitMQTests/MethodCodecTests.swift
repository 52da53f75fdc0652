import Testing

@testable import RabbitMQ

@Suite struct MethodCodecTests {
    private func encode(_ method: ClientMethod) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try MethodEncoder(maximumFrameSize: 4_096).encode(method, channel: 7, into: &bytes)
        return bytes
    }

    @Test func publishIsWrittenAsTheProtocolSays() throws {
        #expect(
            try encode(.publish(exchange: "ex", routingKey: "k")) == [1, 0, 7, 0, 0, 0, 12, 0, 60, 0, 40, 0, 0, 2]
                + Array("ex".utf8) + [1, UInt8(ascii: "k"), 1, 0xCE]
        )
    }

    @Test func acksAreWrittenAsTheProtocolSays() throws {
        #expect(
            try encode(.ack(tag: 258, multiple: true))
                == [1, 0, 7, 0, 0, 0, 13, 0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0xCE]
        )
    }

    @Test func tablesPassThroughTheLibrary() throws {
        let queue = RabbitMQTopology.Queue(name: "q", arguments: ["x-max-length": 5, "x-overflow": "reject-publish"])
        let bytes = try encode(.queueDeclare(queue))
        var expected: [UInt8] = []
        #expect(FieldTableCodec.encode(queue.declaredArguments, into: &expected))
        // Class, method, ticket, name, flags, then the table, as our own encoder writes it.
        #expect(Array(bytes[16...].dropLast()) == expected)
    }

    @Test func longNamesAreRefused() {
        let name = String(repeating: "n", count: 256)
        for method in [
            ClientMethod.publish(exchange: name, routingKey: ""), .cancel(tag: name), .queuePurge(name: name),
        ] {
            #expect { try encode(method) } throws: { ($0 as? RabbitMQError)?.code == .invalidArgument }
        }
        let binding = RabbitMQTopology.Binding(exchange: "e", queue: "q", routingKey: "k", arguments: [name: 1])
        #expect(throws: RabbitMQError.self) { try encode(.queueBind(binding)) }
        let large = RabbitMQTopology.Queue(name: "q", arguments: ["a": .string(String(repeating: "x", count: 5_000))])
        #expect(throws: RabbitMQError.self) { try encode(.queueDeclare(large)) }
    }

    @Test func deliveriesAreRead() throws {
        var payload: [UInt8] = [0, 60, 0, 60, 1, UInt8(ascii: "c")]
        payload.appendBigEndian(UInt64(42))
        payload += [1, 2, UInt8(ascii: "e"), UInt8(ascii: "x"), 0]
        #expect(
            try MethodDecoder().decode(ByteReader(payload))
                == .deliver(
                    .init(consumerTag: "c", deliveryTag: 42, isRedelivered: true, exchange: "ex", routingKey: "")
                )
        )
    }

    @Test func closesAreRead() throws {
        let text = "NOT_FOUND - no exchange 'e'"
        let payload: [UInt8] = [0, 20, 0, 40, 1, 0x94, UInt8(text.utf8.count)] + Array(text.utf8) + [0, 60, 0, 40]
        #expect(
            try MethodDecoder().decode(ByteReader(payload))
                == .channelClose(code: 404, text: text, methodID: 60 << 16 | 40)
        )
    }

    @Test func shortMethodsAreRefused() {
        for payload in [[], [0, 60], [0, 60, 0, 60], [0, 60, 0, 80, 0], [0, 99, 0, 99]] as [[UInt8]] {
            #expect { try MethodDecoder().decode(ByteReader(payload)) } throws: {
                ($0 as? RabbitMQError)?.code == .protocolViolation
            }
        }
    }
}
