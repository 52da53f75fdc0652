import DurableStore
import Messaging
import RabbitMQ
import Testing

import class KitTestSupport.TemporaryDatabase

/// What becomes of commands when something on their way is not as it should be.
@Suite(.enabled(if: Broker.isAvailable, "AMQP_TEST_URL is not set"), .timeLimit(.minutes(3)))
struct CommandFlowTests {
    private let down = Failure(.retryable, code: "down", "Down.")

    // MARK: - Retries

    @Test func commandsWaitAtTheConfiguredLevelsAndOnlyThoseAreDeclared() async throws {
        let database = try TemporaryDatabase()
        let retry = try RetryPolicy(delays: "100ms,300ms,700ms", jitterPercent: 50)
        let handler = ScriptedHandler { [down] envelope in
            envelope.id == "hopeless" || envelope.attempt <= 3 ? down : nil
        }
        let flow = try CommandFlow(Broker.uniqueName(), path: database.path, handler: handler)
        try await flow.relaying {
            try await flow.consuming(retry: retry) {
                try await flow.enqueue(["ill", "hopeless"])
                try await eventually(.seconds(60)) { try await flow.effects() == ["ill"] }
                try await eventually(.seconds(60)) { try await flow.store.deadLetters().count == 1 }
            }
        }
        let attempts = handler.attempts("ill")
        #expect(attempts.map(\.number) == [1, 2, 3, 4])
        for (index, level) in retry.levels.enumerated() {
            // Half of it at least; the broker counts in milliseconds.
            #expect(attempts[index + 1].at - attempts[index].at >= level.delay / 2 - .milliseconds(5))
            #expect(try await flow.fixture.depth(flow.fixture.names.retryQueue(level.name)) == 0)
        }
        #expect(try await flow.fixture.depth(flow.fixture.names.retryQueue("1s")) == nil)
        let letter = try #require(try await flow.store.deadLetters().first)
        #expect(letter.messageID == "hopeless" && letter.attempts == 4 && letter.code == "down")
        await flow.close()
        await remove(flow, retry)
    }

    /// A level's name is its delay: no configuration can declare a queue of an earlier one differently, which the broker would refuse.
    @Test func otherLevelsAfterARestartLoseNeitherMessageNorCount() async throws {
        let database = try TemporaryDatabase()
        let name = Broker.uniqueName()
        let before = try RetryPolicy(delays: "2s,3s,4s", jitterPercent: 0)
        let after = try RetryPolicy(delays: "100ms,200ms,300ms,400ms,3000ms,5s", jitterPercent: 0)
        let failing = ScriptedHandler { [down] _ in down }
        let first = try CommandFlow(name, path: database.path, handler: failing)
        try await first.relaying {
            try await first.consuming(retry: before) {
                try await first.enqueue(["m"])
                // Its first retry is with the broker.
                try await eventually(.seconds(60)) {
                    guard try await first.failedAttempts() > 0 else { return false }
                    return try await first.unpublished().isEmpty
                }
            }
        }
        let used = try await first.failedAttempts()
        await first.close()

        let mending = ScriptedHandler { [down] in $0.attempt == used + 1 ? down : nil }
        let second = try CommandFlow(name, path: database.path, handler: mending)
        try await second.relaying {
            try await second.consuming(retry: after) {
                try await eventually(.seconds(60)) { try await second.effects() == ["m"] }
            }
        }
        #expect(mending.attempts("m").map(\.number) == [used + 1, used + 2])
        #expect(try await second.store.deadLetters().isEmpty)
        await second.close()
        await remove(second, RetryPolicy(levels: before.levels + after.levels))
    }

    // MARK: - Stopping

    /// The loop had ended; its connection, which nobody told, stayed, and the service seemed well while it handled nothing.
    @Test func aFatalFailureEndsTheInboxAtOnceAndItsCommandIsThereForTheNextProcess() async throws {
        let database = try TemporaryDatabase()
        let name = Broker.uniqueName()
        let broken = Failure(.fatal, code: "broken", "Broken.")
        let first = try CommandFlow(name, path: database.path, handler: ScriptedHandler { _ in broken })
        try await first.relaying {
            try await first.enqueue(["m"])
            try await within(.seconds(60)) {
                let failure = await #expect(throws: Failure.self) { try await first.consume() }
                #expect(failure == broken)
            }
        }
        await first.close()

        let second = try CommandFlow(name, path: database.path)
        try await second.consuming { try await eventually(.seconds(60)) { try await second.effects() == ["m"] } }
        await second.close()
        await remove(second, .standard)
    }

    // MARK: - Publishing

    /// `basic.return`: the broker confirms such a message all the same, so only the return tells that it is nowhere.
    @Test func anUnroutableRowIsNotMarkedHoldsOnlyItsKeyAndIsDeliveredWhenARouteIsThere() async throws {
        let database = try TemporaryDatabase()
        let flow = try CommandFlow(Broker.uniqueName(), path: database.path)
        let exchange = flow.name + ".roofless"
        let topology = RabbitMQTopology(
            exchanges: [.init(name: exchange)],
            queues: [.init(name: exchange)],
            bindings: [.init(exchange: exchange, queue: exchange, routingKey: exchange)]
        )
        try await flow.fixture.administration.declare(RabbitMQTopology(exchanges: topology.exchanges))
        try await flow.relaying {
            try await flow.enqueue(["a1", "a2", "a3"], subject: "a", to: .exchange(exchange, routingKey: exchange))
            try await flow.consuming {
                // The others go on, before and after it was tried in vain.
                try await flow.enqueue(["b1", "b2"], subject: "b")
                try await eventually(.seconds(60)) { try await flow.effects() == ["b1", "b2"] }
                try await eventually(.seconds(60)) { (try await flow.unpublished().first?.attempts ?? 0) >= 2 }
                try await flow.enqueue(["b3"], subject: "b")
                try await eventually(.seconds(60)) { try await flow.effects() == ["b1", "b2", "b3"] }
            }
            let waiting = try await flow.unpublished()
            #expect(waiting.map(\.message.envelope.id) == ["a1", "a2", "a3"])
            #expect(waiting.allSatisfy { $0.publishedAt == nil && $0.parkedAt == nil })
            #expect(waiting.first?.lastError?.contains("NO_ROUTE") == true)
            #expect(waiting.dropFirst().allSatisfy { $0.attempts == 0 })

            try await flow.fixture.administration.declare(topology)
            try await eventually(.seconds(60)) { try await flow.unpublished().isEmpty }
        }
        #expect(try await received(3, from: exchange, flow) == ["a1", "a2", "a3"])
        #expect(try await flow.fixture.depth(exchange) == 0)
        await flow.close()
        await remove(flow, .standard, and: [exchange])
    }

    @Test func aRowForAnExchangeThatIsMissingIsDeliveredWhenItsReceiverHasDeclaredIt() async throws {
        let database = try TemporaryDatabase()
        let flow = try CommandFlow(Broker.uniqueName(), path: database.path)
        let later = try Fixture(flow.name + ".later")
        try await flow.relaying {
            try await flow.consuming {
                try await flow.enqueue(["a1", "a2"], subject: "a", to: .inbox(later.names.inbox))
                try await flow.enqueue((0..<50).map { "b\($0)" })
                try await eventually(.seconds(60)) { try await flow.effects().count == 50 }
                try await eventually(.seconds(60)) { (try await flow.unpublished().first?.attempts ?? 0) >= 1 }
            }
            #expect(try await flow.unpublished().map(\.message.envelope.id) == ["a1", "a2"])
            try await later.administration.declare(later.topology)
            try await eventually(.seconds(60)) { try await flow.unpublished().isEmpty }
        }
        #expect(try await received(2, from: later.names.inbox, flow) == ["a1", "a2"])
        await flow.close()
        await later.remove()
        await remove(flow, .standard)
    }

    // MARK: - Queues that go away

    @Test func aQueueDeletedUnderItsConsumerIsMadeAgainAndWhatCouldNotBeSentMeanwhileArrives() async throws {
        let database = try TemporaryDatabase()
        let flow = try CommandFlow(Broker.uniqueName(), path: database.path)
        try await flow.relaying {
            try await flow.consuming {
                try await flow.enqueue(["a1"])
                try await eventually(.seconds(60)) { try await flow.effects() == ["a1"] }
                try await flow.fixture.administration.delete(queue: flow.name)
                try await flow.enqueue((2...40).map { "a\($0)" })
                try await eventually(.seconds(60)) { try await flow.effects().count == 40 }
            }
        }
        #expect(Set(try await flow.effects()).count == 40)
        #expect(try await flow.unpublished().isEmpty)
        await flow.close()
        await remove(flow, .standard)
    }

    // MARK: - Helpers

    /// Takes exactly so many messages from a queue.
    private func received(_ count: Int, from queue: String, _ flow: CommandFlow) async throws -> [String] {
        let consumer = flow.fixture.consumer(queue: queue, prefetch: 10, withoutTopology: true)
        return try await running([consumer.run]) {
            try await within(.seconds(60)) {
                var ids: [String] = []
                while ids.count < count {
                    let batch = try await consumer.nextBatch(max: 10)
                    ids += batch.compactMap(\.properties.messageID)
                    await consumer.settle(batch.map { .ack($0) })
                }
                return ids
            }
        }
    }

    private func remove(_ flow: CommandFlow, _ retry: RetryPolicy, and queues: [String] = []) async {
        let names = flow.fixture.names
        for queue in [names.inbox, names.dead] + retry.levels.map({ names.retryQueue($0.name) }) + queues {
            try? await flow.fixture.administration.delete(queue: queue)
        }
    }
}
