import RabbitMQ
import Testing

@Suite(.enabled(if: Broker.isAvailable, "AMQP_TEST_URL is not set"), .timeLimit(.minutes(2)))
struct ConsumerTests {
    /// Pulls and acknowledges until `count` different message ids were seen; returns how often each came.
    private func drain(_ consumer: RabbitMQConsumer, count: Int) async throws -> [String: Int] {
        try await within(.seconds(60)) {
            var seen: [String: Int] = [:]
            while seen.count < count {
                let batch = try await consumer.nextBatch(max: 200)
                for delivery in batch { seen[delivery.properties.messageID ?? "", default: 0] += 1 }
                await consumer.settle(batch.map { .ack($0) })
            }
            return seen
        }
    }

    @Test func everyPropertyArrives() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        let consumer = fixture.consumer()
        let properties = RabbitMQProperties(
            contentType: "application/json",
            contentEncoding: "identity",
            headers: [
                "ce_id": "1", "number": -7, "flag": true, "nothing": .null, "raw": .bytes([0, 1, 255]),
                "nested": .table(["list": .array(["a", .int32(5), .table(["deep": .double(0.5)])])]),
            ],
            priority: 4,
            correlationID: "corr",
            replyTo: "reply",
            expiration: "60000",
            messageID: "id",
            timestamp: 1_700_000_000,
            type: "kind",
            appID: "app"
        )
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        try await running([publisher.run, consumer.run]) {
            let message = RabbitMQMessage(
                exchange: fixture.names.inbox,
                routingKey: fixture.names.inbox,
                properties: properties,
                body: body
            )
            #expect(await publisher.publish([message]) == [.confirmed])
            let delivery = try #require(try await within(.seconds(20)) { try await consumer.nextBatch(max: 1) }.first)
            #expect(delivery.properties == properties)
            #expect(delivery.body == body)
            #expect(delivery.queue == fixture.names.inbox)
            #expect(delivery.exchange == fixture.names.inbox)
            #expect(!delivery.isRedelivered)
            #expect(delivery.deliveryCount == 0)
            #expect(await consumer.settle([.ack(delivery)]) == [.settled])
            #expect(await consumer.settle([.reject(delivery)]) == [.alreadySettled])
        }
        #expect(try await fixture.depth() == 0)
        await fixture.remove()
    }

    @Test func prefetchBoundsWhatIsOut() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        let consumer = fixture.consumer(prefetch: 10)
        try await running([publisher.run, consumer.run]) {
            #expect(await publisher.publish((0..<25).map { fixture.message($0) }).areAllConfirmed)
            var held: [RabbitMQDelivery] = []
            while held.count < 10 { held += try await consumer.nextBatch(max: 100) }
            #expect(held.count == 10)
            try await eventually { try await fixture.depth() == 15 }
            // Out of order, with a gap.
            await consumer.settle(held[5...].map { .ack($0) })
            #expect(try await drainMore(consumer, 5) == 5)
            await consumer.settle(held[..<5].map { .ack($0) })
            #expect(try await drainMore(consumer, 10) == 10)
        }
        #expect(try await fixture.depth() == 0)
        await fixture.remove()
    }

    private func drainMore(_ consumer: RabbitMQConsumer, _ count: Int) async throws -> Int {
        try await within(.seconds(20)) {
            var total = 0
            while total < count {
                let batch = try await consumer.nextBatch(max: count - total)
                total += batch.count
                await consumer.settle(batch.map { .ack($0) })
            }
            return total
        }
    }

    @Test func requeueCountsAndRejectDeadLetters() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        let consumer = fixture.consumer(prefetch: 1)
        let dead = fixture.consumer(queue: fixture.names.dead)
        try await running([publisher.run, consumer.run, dead.run]) {
            let first = await publisher.publish([fixture.message(1)])
            #expect(first == [.confirmed])
            for attempt in 0..<3 {
                let delivery = try #require(
                    try await within(.seconds(20)) { try await consumer.nextBatch(max: 1) }.first
                )
                #expect(delivery.deliveryCount == attempt)
                #expect(delivery.isRedelivered == (attempt > 0))
                await consumer.settle([attempt == 2 ? .reject(delivery) : .requeue(delivery)])
            }
            let letter = try #require(try await within(.seconds(20)) { try await dead.nextBatch(max: 1) }.first)
            #expect(letter.properties.messageID == "1")
            let death = letter.properties.headers["x-death"]?.arrayValue?.first?.tableValue
            #expect(death?["reason"] == "rejected")
            #expect(death?["queue"]?.stringValue == fixture.names.inbox)
            #expect(death?["count"]?.integerValue == 1)
            #expect(!letter.hasMalformedProperties)
            await dead.settle([.ack(letter)])
        }
        await fixture.remove()
    }

    @Test func manyRejectsAllReachTheDeadLetters() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        let consumer = fixture.consumer()
        let dead = fixture.consumer(queue: fixture.names.dead)
        try await running([publisher.run, consumer.run, dead.run]) {
            #expect(await publisher.publish((0..<500).map { fixture.message($0) }).areAllConfirmed)
            try await within(.seconds(30)) {
                var rejected = 0
                while rejected < 500 {
                    let batch = try await consumer.nextBatch(max: 50)
                    rejected += batch.count
                    await consumer.settle(batch.map { .reject($0) })
                }
            }
            #expect(try await drain(dead, count: 500).count == 500)
        }
        await fixture.remove()
    }

    @Test func retryQueueGivesBackAfterItsDelay() async throws {
        let level = RabbitMQTopology.RetryLevel(name: "300ms", delay: .milliseconds(300))
        let fixture = try Fixture(Broker.uniqueName(), retryLevels: [level])
        let publisher = fixture.publisher()
        let consumer = fixture.consumer()
        try await running([publisher.run, consumer.run]) {
            var message = fixture.message(1)
            var started = ContinuousClock.now
            #expect(await publisher.publish([message]) == [.confirmed])
            for attempt in 1...3 {
                let delivery = try #require(
                    try await within(.seconds(20)) { try await consumer.nextBatch(max: 1) }.first
                )
                if attempt > 1 {
                    #expect(ContinuousClock.now - started >= .milliseconds(295))
                    #expect(delivery.properties.headers["x-first-death-reason"] == "expired")
                }
                // A copy without the broker's headers, as a consumer that retries would send it.
                message = RabbitMQMessage(
                    exchange: fixture.names.retryExchange,
                    routingKey: fixture.names.retryQueue(level.name),
                    properties: delivery.properties.removingBrokerHeaders(),
                    body: delivery.body
                )
                message.properties.headers["attempt"] = .int64(Int64(attempt))
                #expect(delivery.properties.headers["attempt"]?.integerValue ?? 0 == Int64(attempt - 1))
                started = .now
                if attempt < 3 { #expect(await publisher.publish([message]) == [.confirmed]) }
                await consumer.settle([.ack(delivery)])
            }
        }
        await fixture.remove()
    }

    @Test func deletedQueueIsDeclaredAgain() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        let consumer = fixture.consumer()
        try await running([publisher.run, consumer.run]) {
            try await consumer.waitUntilReady()
            try await publisher.waitUntilReady()
            let states = consumer.states()
            let again = consumer.states()
            try await fixture.administration.delete(queue: fixture.names.inbox)
            try await state(of: states) { state in
                if case .disconnected(let error, _) = state { return error.code == .consumerCancelled }
                return false
            }
            try await within(.seconds(20)) {
                var wasLost = false
                for await state in again {
                    if case .disconnected = state { wasLost = true }
                    if wasLost, state == .ready { return }
                }
            }
            #expect(await publisher.publish([fixture.message(5)]) == [.confirmed])
            #expect(try await drain(consumer, count: 1) == ["5": 1])
        }
        await fixture.remove()
    }

    @Test(.enabled(if: Broker.managementURL != nil, "RABBITMQ_TEST_MANAGEMENT_URL is not set"))
    func killedConnectionsComeBack() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        let consumer = fixture.consumer()
        let management = try Management()
        try await running([publisher.run, consumer.run]) {
            let first = await publisher.publish((0..<10).map { fixture.message($0) })
            #expect(first == first.map { _ in .confirmed })
            var held: [RabbitMQDelivery] = []
            while held.count < 10 { held += try await consumer.nextBatch(max: 10) }
            let lost = consumer.states()
            let name = fixture.configuration.connectionName
            // The management learns of a connection a moment after it was opened.
            try await eventually { try await management.closeConnections(named: "\(name)-consumer") == 1 }
            try await state(of: lost) { if case .disconnected = $0 { return true } else { return false } }
            #expect(await consumer.settle(held.map { .ack($0) }) == held.map { _ in .stale })
            let seen = try await drain(consumer, count: 10)
            #expect(seen.values.allSatisfy { $0 == 1 })

            try await eventually { try await management.closeConnections(named: "\(name)-publisher") == 1 }
            #expect(await publisher.publish([fixture.message(77)]) != [.nacked])
            try await eventually { await publisher.publish([fixture.message(78)]) == [.confirmed] }
        }
        await fixture.remove()
    }

    @Test func twentyKilledConsumersDeadLetterNothing() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        try await running([publisher.run]) {
            let first = await publisher.publish((0..<10).map { fixture.message($0) })
            #expect(first == first.map { _ in .confirmed })
        }
        for round in 0..<20 {
            let consumer = fixture.consumer(prefetch: 10)
            try await running([consumer.run]) {
                try await within(.seconds(20)) {
                    var held = 0
                    while held < 10 { held += try await consumer.nextBatch(max: 10).count }
                }
                #expect(consumer.state == .ready, "round \(round)")
            }
        }
        let consumer = fixture.consumer()
        let seen = try await running([consumer.run]) { try await drain(consumer, count: 10) }
        #expect(seen.count == 10)
        #expect(try await fixture.depth(fixture.names.dead) == 0)
        await fixture.remove()
    }

    @Test func stoppingLetsPulledOnesSettleAndReturnsTheRest() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        let consumer = fixture.consumer(prefetch: 50)
        try await running([publisher.run, consumer.run]) {
            #expect(await publisher.publish((0..<30).map { fixture.message($0) }).areAllConfirmed)
            let pulled = try await within(.seconds(20)) { try await consumer.nextBatch(max: 5) }
            consumer.stop()
            #expect(try await consumer.nextBatch(max: 5).isEmpty)
            #expect(consumer.state == .ready)
            #expect(await consumer.settle(pulled.map { .ack($0) }) == pulled.map { _ in .settled })
            try await state(of: consumer.states()) { $0 == .stopped }
            try await eventually { try await fixture.depth() == 30 - pulled.count }
        }
        await fixture.remove()
    }

    @Test func pauseHoldsDeliveriesBack() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        let consumer = fixture.consumer()
        try await running([publisher.run, consumer.run]) {
            try await consumer.waitUntilReady()
            consumer.pause()
            let first = await publisher.publish([fixture.message(1)])
            #expect(first == [.confirmed])
            let pull = Task { try await consumer.nextBatch(max: 1) }
            // The broker has handed it out, but nobody gets it.
            try await eventually { try await fixture.depth() == 0 }
            #expect(consumer.isPaused)
            consumer.resume()
            let batch = try await pull.value
            #expect(batch.count == 1)
            await consumer.settle(batch.map { .ack($0) })
        }
        await fixture.remove()
    }

    @Test func oversizedBodiesAreMarked() async throws {
        let fixture = try Fixture(Broker.uniqueName())
        let publisher = fixture.publisher()
        var options = RabbitMQConsumer.Options(
            subscriptions: [.init(queue: fixture.names.inbox)],
            topology: fixture.topology
        )
        options.maximumBodySize = 1_000
        let consumer = RabbitMQConsumer(configuration: fixture.configuration, options: options, logger: Broker.logger)
        try await running([publisher.run, consumer.run]) {
            let messages = [fixture.message(1, body: Array(repeating: 1, count: 400_000)), fixture.message(2)]
            #expect(await publisher.publish(messages).areAllConfirmed)
            var batch: [RabbitMQDelivery] = []
            while batch.count < 2 { batch += try await consumer.nextBatch(max: 2) }
            #expect(batch.map(\.isOversized) == [true, false])
            #expect(batch.first?.body.isEmpty == true)
            await consumer.settle(batch.map { .ack($0) })
        }
        await fixture.remove()
    }
}
