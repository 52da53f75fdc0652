import Logging
import Testing

@testable import RabbitMQ

/// Whatever a peer sends, the client closes the connection, makes a new one and goes on.
@Suite(.timeLimit(.minutes(1))) struct HostileBrokerTests {
    struct Script: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]

        init(_ name: String, _ bytes: [UInt8]) {
            testDescription = name
            self.bytes = bytes
        }
    }

    private static let header: [UInt8] = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]

    private static func tag(_ tag: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(tag)
        return bytes
    }

    private static func deliver(_ consumer: String, _ number: UInt64) -> [UInt8] {
        var arguments: [UInt8] = []
        _ = arguments.appendShortString(consumer)
        arguments += tag(number) + [0, 0, 0]
        return ScriptedBroker.method(2, 60, 60, arguments) + ScriptedBroker.frame(2, 2, header)
            + ScriptedBroker.frame(3, 2, [1])
    }

    private static let anywhere: [Script] = [
        Script("header without method", ScriptedBroker.frame(2, 2, header)),
        Script("body without header", ScriptedBroker.frame(3, 2, [1])),
        Script("channel that is not open", ScriptedBroker.method(77, 60, 80, tag(1) + [0])),
        Script("content on a channel that is not open", ScriptedBroker.frame(3, 77, [1])),
        Script("unknown method", ScriptedBroker.method(2, 99, 99, [])),
        Script("method cut short", ScriptedBroker.method(2, 60, 80, [0])),
        Script("empty method", ScriptedBroker.frame(1, 2, [])),
        Script("open-ok out of nowhere", ScriptedBroker.method(2, 20, 11, [0, 0, 0, 0])),
        Script("server method on channel 0", ScriptedBroker.method(0, 60, 80, tag(1) + [0])),
        Script("close-ok without close", ScriptedBroker.method(0, 10, 51, [])),
        Script("unknown frame", ScriptedBroker.frame(5, 2, [1, 2, 3])),
        Script("huge frame", [1, 0, 2, 0x7F, 0xFF, 0xFF, 0xFF]),
        Script("no end mark", ScriptedBroker.frame(8, 0, []).dropLast() + [0]),
        Script("heartbeat on a channel", ScriptedBroker.frame(8, 2, [])),
        Script("random bytes", (0..<500).map { UInt8(truncatingIfNeeded: $0 &* 197 &+ 31) }),
        Script("connection closed", ScriptedBroker.method(0, 10, 50, [2, 29, 2, 0x6E, 0x6F, 0, 0, 0, 0])),
    ]

    private func configuration(_ port: UInt16) -> RabbitMQConfiguration {
        var configuration = RabbitMQConfiguration(host: "127.0.0.1", port: port, user: "u", password: "p")
        configuration.connectionName = "t"
        configuration.backoff = RabbitMQBackoff(base: .milliseconds(1), cap: .milliseconds(5))
        return configuration
    }

    private var logger: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    @Test(
        arguments: anywhere + [
            Script("confirm of the future", ScriptedBroker.method(2, 60, 80, tag(99) + [0])),
            Script("confirm of tag 0", ScriptedBroker.method(2, 60, 80, tag(0) + [0])),
            Script("nack of the future", ScriptedBroker.method(2, 60, 120, tag(.max) + [1])),
            Script("delivery to a publisher", deliver("t", 1)),
            Script(
                "return of a stranger",
                ScriptedBroker.method(2, 60, 50, [1, 56, 0, 1, 0x61, 1, 0x62]) + ScriptedBroker.frame(2, 2, header)
                    + ScriptedBroker.frame(3, 2, [9])
            ),
            Script(
                "more body than announced",
                Array(deliver("t", 1).dropLast(9)) + ScriptedBroker.frame(3, 2, [1, 2])
            ),
            Script(
                "method within a content",
                ScriptedBroker.method(2, 60, 50, [1, 56, 0, 0, 0]) + ScriptedBroker.method(2, 60, 80, tag(1) + [0])
            ),
        ]
    )
    func publisherSurvives(script: Script) async throws {
        let broker = try #require(ScriptedBroker(.publish, script.bytes))
        defer { broker.stop() }
        let publisher = RabbitMQPublisher(configuration: configuration(broker.port), logger: logger)
        let lifetime = Task { await publisher.run() }
        let message = RabbitMQMessage(exchange: "e", routingKey: "k", body: [1])
        #expect(await publisher.publish([message]) == [.unknown])
        #expect(await publisher.publish([message, message]) == [.confirmed, .confirmed])
        #expect(broker.connections == 2)
        lifetime.cancel()
        await lifetime.value
    }

    /// One message is never confirmed while all others are: it would keep its place in the window for ever.
    @Test func publisherNoticesOneForgottenMessage() async throws {
        let broker = try #require(ScriptedBroker(.forgottenPublish, []))
        defer { broker.stop() }
        var options = RabbitMQPublisher.Options()
        options.publishTimeout = .milliseconds(300)
        options.confirmStallTimeout = .seconds(1)
        let publisher = RabbitMQPublisher(configuration: configuration(broker.port), options: options, logger: logger)
        let lifetime = Task { await publisher.run() }
        try await publisher.waitUntilReady()
        let message = RabbitMQMessage(exchange: "e", routingKey: "k", body: [1])
        #expect(await publisher.publish([message]) == [.unknown])
        let end = ContinuousClock.now + .seconds(30)
        while broker.connections < 2, ContinuousClock.now < end { _ = await publisher.publish([message]) }
        #expect(broker.connections >= 2)
        lifetime.cancel()
        await lifetime.value
    }

    @Test(
        arguments: anywhere + [
            Script("delivery to another consumer", deliver("somebody", 1)),
            Script("delivery without a tag", deliver("t-consumer-0", 0)),
            Script("the same delivery twice", deliver("t-consumer-0", 1) + deliver("t-consumer-0", 1)),
            Script("more than the prefetch", (1...3).flatMap { deliver("t-consumer-0", $0) }),
            Script("confirm to a consumer", ScriptedBroker.method(2, 60, 80, tag(1) + [0])),
            Script("cancelled", ScriptedBroker.method(2, 60, 30, [0, 0])),
            Script("channel closed", ScriptedBroker.method(2, 20, 40, [1, 0x96, 0, 0, 0, 0, 0])),
        ]
    )
    func consumerSurvives(script: Script) async throws {
        let broker = try #require(ScriptedBroker(.consume, script.bytes))
        defer { broker.stop() }
        let consumer = RabbitMQConsumer(
            configuration: configuration(broker.port),
            options: .init(subscriptions: [.init(queue: "q", prefetch: 2)]),
            logger: logger
        )
        let states = consumer.states()
        let lifetime = Task { await consumer.run() }
        var wasLost = false
        for await state in states {
            if case .disconnected = state { wasLost = true }
            if wasLost, state == .ready { break }
        }
        #expect(broker.connections == 2)
        lifetime.cancel()
        await lifetime.value
    }
}
