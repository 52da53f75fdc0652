import RabbitMQ
import Testing

@Suite(.enabled(if: Broker.isAvailable, "AMQP_TEST_URL is not set"), .timeLimit(.minutes(2)))
struct PublisherTests {
    @Test func concurrentPublishesAreConfirmed() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        try await running([publisher.run]) {
            let results = await withTaskGroup(of: [RabbitMQPublishResult].self) { group in
                for caller in 0..<8 {
                    group.addTask { await publisher.publish((0..<500).map { fixture.message(caller * 500 + $0) }) }
                }
                var all: [RabbitMQPublishResult] = []
                for await results in group { all += results }
                return all
            }
            #expect(results.count == 4_000)
            #expect(results.areAllConfirmed)
            try await eventually { try await fixture.depth() == 4_000 }
        }
        await fixture.remove()
    }

    @Test func unroutableMessagesComeBackAndOthersDoNot() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        try await running([publisher.run]) {
            let messages = (0..<300).map { index in
                var message = fixture.message(index % 7, body: [UInt8(truncatingIfNeeded: index), UInt8(index / 256)])
                if index % 3 == 0 { message.routingKey = "nowhere" }
                return message
            }
            let results = await publisher.publish(messages)
            for (index, result) in results.enumerated() {
                #expect(result == (index % 3 == 0 ? .returned(code: 312, text: "NO_ROUTE") : .confirmed))
            }
            #expect(await publisher.publish([fixture.message(1, body: [])]) == [.confirmed])
        }
        await fixture.remove()
    }

    @Test func missingExchangeFailsOnlyItsMessages() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        try await running([publisher.run]) {
            try await publisher.waitUntilReady()
            let results = await publisher.publish(
                (0..<100).map { index in
                    var message = fixture.message(index)
                    if index == 40 || index == 60 { message.exchange = "missing.\(fixture.names.inbox)" }
                    return message
                }
            )
            for index in [40, 60] {
                guard case .noExchange(let text) = results[index] else {
                    Issue.record("\(results[index])")
                    continue
                }
                #expect(text.contains("NOT_FOUND"))
            }
            // Before the culprit a confirm may have been lost with the channel; behind it, everything was sent again.
            #expect(results[..<40].allSatisfy { $0 == .confirmed || $0 == .unknown })
            #expect((41..<100).filter { $0 != 60 }.allSatisfy { results[$0] == .confirmed })
            #expect(await publisher.publish([fixture.message(0)]) == [.confirmed])
        }
        await fixture.remove()
    }

    @Test func refusedMessageShowsItself() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        try await running([publisher.run]) {
            var open = (0..<50).map { index in
                var message = fixture.message(index)
                // The broker checks the user id against the connection's user: 406.
                if index == 20 { message.properties.userID = "somebody-else" }
                return message
            }
            var refused: [RabbitMQMessage] = []
            var rounds = 0
            while !open.isEmpty, rounds < 10 {
                rounds += 1
                let results = await publisher.publish(open)
                var next: [RabbitMQMessage] = []
                for (message, result) in zip(open, results) {
                    switch result {
                    case .confirmed: break
                    case .refused(let code, _):
                        #expect(code == 406)
                        refused.append(message)
                    default: next.append(message)
                    }
                }
                open = next
            }
            #expect(refused.map(\.properties.messageID) == ["20"])
            #expect(open.isEmpty)
            #expect(rounds <= 3)
        }
        await fixture.remove()
    }

    @Test func fullQueueRefuses() async throws {
        let fixture = try Fixture(Broker.uniqueName(), maximumLength: 5)
        let publisher = fixture.publisher()
        let consumer = fixture.consumer()
        try await running([publisher.run]) {
            var nacked = 0
            for index in 0..<20 {
                let result = await publisher.publish([fixture.message(index)])
                if result == [.nacked] { nacked += 1 } else { #expect(result == [.confirmed]) }
            }
            // The broker's limit is overshot by what is under way.
            #expect((13...15).contains(nacked))
            try await running([consumer.run]) {
                var drained = 0
                while drained < 20 - nacked {
                    let batch = try await consumer.nextBatch(max: 100)
                    drained += batch.count
                    await consumer.settle(batch.map { .ack($0) })
                }
            }
            try await eventually { await publisher.publish([fixture.message(99)]) == [.confirmed] }
        }
        await fixture.remove()
    }

    @Test func messageAboveTheBrokersLimitIsRefusedAlone() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher { $0.maximumMessageSize = 4 << 20 }
        try await running([publisher.run]) {
            let large = fixture.message(1, body: Array(repeating: 7, count: 3 << 20))
            let results = await publisher.publish([large])
            guard case .refused(406, _) = results.first else {
                Issue.record("\(results)")
                return
            }
            #expect(
                await publisher.publish([fixture.message(2, body: Array(repeating: 1, count: 1 << 20))]) == [.confirmed]
            )
        }
        await fixture.remove()
    }

    @Test func stoppingWaitsForConfirms() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        try await running([publisher.run]) {
            try await publisher.waitUntilReady()
            async let results = publisher.publish((0..<1_000).map { fixture.message($0) })
            try await eventually { (try await fixture.depth() ?? 0) > 0 }
            publisher.stop()
            let outcome = await results
            // What was not under way yet is certainly not sent; nothing is unknown.
            #expect(outcome.allSatisfy { $0 == .confirmed || $0 == .notConnected })
            #expect(outcome.contains(.confirmed))
            try await state(of: publisher.states()) { $0 == .stopped }
            let confirmed = outcome.count(where: \.isConfirmed)
            try await eventually { try await fixture.depth() == confirmed }
        }
        await fixture.remove()
    }

    @Test func wrongCredentialsAndTopologyHaveClearErrors() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        try await fixture.administration.declare(fixture.topology)
        let cases: [(RabbitMQError.Code, (inout RabbitMQConfiguration) -> Void, RabbitMQTopology)] = [
            (.authenticationFailed, { $0.password = "wrong" }, .empty),
            (.accessRefused, { $0.virtualHost = "no-such-host" }, .empty),
            (
                .topologyMismatch, { _ in },
                RabbitMQTopology(queues: [.init(name: fixture.names.inbox, kind: .classic)])
            ),
        ]
        for (code, adjust, topology) in cases {
            var configuration = fixture.configuration
            adjust(&configuration)
            let publisher = fixture.publisher({ $0.topology = topology }, configuration: configuration)
            try await running([publisher.run]) {
                try await state(of: publisher.states()) { state in
                    guard case .disconnected(let error, _) = state else { return false }
                    if code == .topologyMismatch { #expect(error.message.contains(fixture.names.inbox)) }
                    return error.code == code
                }
            }
        }
        await fixture.remove()
    }
}
