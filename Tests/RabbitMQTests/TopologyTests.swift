import Testing

@testable import RabbitMQ

@Suite struct TopologyTests {
    @Test func inboxHasTheAgreedParts() throws {
        let topology = RabbitMQTopology.inbox("order.inbox", maximumLength: 5_000)
        #expect(topology.exchanges.map(\.name) == ["order.inbox", "order.inbox.retry", "order.inbox.dead"])
        #expect(topology.exchanges.allSatisfy { $0.kind == .direct })
        #expect(
            topology.queues.map(\.name) == [
                "order.inbox.dead", "order.inbox", "order.inbox.retry.1s", "order.inbox.retry.5s",
                "order.inbox.retry.30s",
                "order.inbox.retry.2m", "order.inbox.retry.10m",
            ]
        )
        #expect(topology.queues.allSatisfy { $0.declaredArguments["x-queue-type"] == "quorum" })
        #expect(topology.queues.allSatisfy { $0.arguments["x-overflow"] == "reject-publish" })
        #expect(topology.queues.allSatisfy { $0.arguments["x-max-length"] == 5_000 })
        #expect(topology.bindings.allSatisfy { $0.queue == $0.routingKey })
        #expect(topology.bindings.count == topology.queues.count)

        let inbox = try #require(topology.queues.first { $0.name == "order.inbox" })
        #expect(inbox.arguments["x-delivery-limit"] == 20)
        #expect(inbox.arguments["x-dead-letter-exchange"] == "order.inbox.dead")
        #expect(inbox.arguments["x-dead-letter-routing-key"] == "order.inbox.dead")
        #expect(inbox.arguments["x-dead-letter-strategy"] == "at-least-once")

        let retry = try #require(topology.queues.first { $0.name == "order.inbox.retry.2m" })
        #expect(retry.arguments["x-message-ttl"] == 120_000)
        #expect(retry.arguments["x-dead-letter-exchange"] == "order.inbox")
        #expect(retry.arguments["x-dead-letter-routing-key"] == "order.inbox")
        #expect(
            topology.bindings.contains(.init(exchange: "order.inbox.retry", queue: retry.name, routingKey: retry.name))
        )
    }

    @Test(arguments: [(-1, 20), (0, 20), (19, 20), (20, 20), (50, 50)])
    func deliveryLimitIsABackstop(asked: Int, declared: Int64) {
        let topology = RabbitMQTopology.inbox("i", retryLevels: [], deliveryLimit: asked)
        #expect(topology.queues.last?.arguments["x-delivery-limit"] == .int64(declared))
        #expect(topology.queues.count == 2)
    }

    @Test(arguments: [
        (Duration.zero, 1 as Int64), (.milliseconds(1), 1), (.milliseconds(1_500), 1_500), (.seconds(-5), 1),
        (.seconds(Int64.max), Int64(UInt32.max)), (.nanoseconds(1), 1),
    ])
    func delaysStayWithinTheBrokersBounds(delay: Duration, expected: Int64) {
        #expect(RabbitMQTopology.RetryLevel(name: "l", delay: delay).milliseconds == expected)
    }

    @Test func mergingKeepsOneOfEach() {
        let one = RabbitMQTopology.inbox("a")
        #expect(one.merging(one) == one)
        let both = one.merging(.inbox("b"))
        #expect(both.queues.count == 14)
        #expect(RabbitMQTopology.empty.merging(one) == one)
    }

    @Test func brokerHeadersAreRemoved() {
        let headers: RabbitMQTable = [
            "x-death": .array([]), "x-first-death-queue": "q", "x-last-death-reason": "r", "x-delivery-count": 3,
            "ce_id": "1", "x-mine": 2,
        ]
        #expect(RabbitMQProperties(headers: headers).removingBrokerHeaders().headers == ["ce_id": "1", "x-mine": 2])
    }
}
