import Logging
import Testing

@testable import RabbitMQ

@Suite(.timeLimit(.minutes(1))) struct ConcurrencyTests {
    private func delivery(_ tag: UInt64) -> RabbitMQDelivery {
        RabbitMQDelivery(
            handle: .init(epoch: 1, channel: 2, tag: tag),
            queue: "q",
            exchange: "e",
            routingKey: "k",
            isRedelivered: false,
            properties: RabbitMQProperties(),
            body: [],
            isOversized: false,
            hasMalformedProperties: false
        )
    }

    @Test func windowAdmitsInOrder() async {
        let window = PublishWindow(maximumCount: 10, maximumBytes: 100)
        let deadline = ContinuousClock.now + .seconds(50)
        #expect(await window.acquire(count: 8, bytes: 50, deadline: deadline))
        async let large = window.acquire(count: 5, bytes: 10, deadline: deadline)
        window.release(count: 8, bytes: 50)
        #expect(await large)
        window.release(count: 5, bytes: 10)
        // More than the whole window is admitted alone.
        #expect(await window.acquire(count: 99, bytes: 9_999, deadline: deadline))
        async let waiting = window.acquire(count: 1, bytes: 1, deadline: .now)
        // The deadline is in the past: the next look turns the waiter away, whenever it arrives.
        let ticking = Task {
            while !Task.isCancelled {
                window.expire(at: .now)
                await Task.yield()
            }
        }
        #expect(await waiting == false)
        ticking.cancel()
        window.close()
        #expect(await window.acquire(count: 1, bytes: 1, deadline: deadline) == false)
    }

    @Test func windowHonoursCancellation() async {
        let window = PublishWindow(maximumCount: 1, maximumBytes: 10)
        let deadline = ContinuousClock.now + .seconds(50)
        #expect(await window.acquire(count: 1, bytes: 1, deadline: deadline))
        let waiter = Task { await window.acquire(count: 1, bytes: 1, deadline: deadline) }
        waiter.cancel()
        #expect(await waiter.value == false)
        window.release(count: 1, bytes: 1)
        #expect(await window.acquire(count: 1, bytes: 1, deadline: deadline))
    }

    @Test func windowNeverExceedsItsBound() async {
        let window = PublishWindow(maximumCount: 7, maximumBytes: 1_000)
        let deadline = ContinuousClock.now + .seconds(50)
        await withTaskGroup(of: Bool.self) { group in
            for index in 0..<200 {
                group.addTask {
                    let count = index % 7 + 1
                    guard await window.acquire(count: count, bytes: count, deadline: deadline) else { return false }
                    await Task.yield()
                    window.release(count: count, bytes: count)
                    return true
                }
            }
            for await isAdmitted in group { #expect(isAdmitted) }
        }
    }

    @Test func bufferHandsEachDeliveryOutOnce() async throws {
        let buffer = DeliveryBuffer()
        buffer.begin(epoch: 1)
        let pulled = try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var tags: [UInt64] = []
                    while true {
                        let batch = try await buffer.next(3)
                        if batch.isEmpty { return tags }
                        tags += batch.map(\.handle.tag)
                    }
                }
            }
            for tag in 1...500 { buffer.append([delivery(UInt64(tag))]) }
            var all: [UInt64] = []
            while all.count < 0 { await Task.yield() }
            // Closing drops what nobody has pulled; it is handed to whoever returns it to the broker.
            var leftovers: [UInt64] = []
            buffer.close()
            leftovers = buffer.takeLeftovers().map(\.handle.tag)
            for try await tags in group { all += tags }
            return all + leftovers
        }
        #expect(pulled.sorted() == Array(1...500))
    }

    @Test func pausedBufferWaits() async throws {
        let buffer = DeliveryBuffer()
        buffer.isPaused = true
        buffer.append([delivery(1), delivery(2)])
        async let batch = buffer.next(10)
        buffer.append([delivery(3)])
        #expect(buffer.isPaused)
        buffer.isPaused = false
        #expect(try await batch.count == 3)
    }

    @Test func cancelledPullThrows() async {
        let buffer = DeliveryBuffer()
        let pull = Task { try await buffer.next(1) }
        pull.cancel()
        await #expect(throws: CancellationError.self) { try await pull.value }
        buffer.close()
        let closed = try? await buffer.next(1)
        #expect(closed?.isEmpty == true)
    }

    @Test func newEpochVoidsDeliveries() async throws {
        let buffer = DeliveryBuffer()
        buffer.begin(epoch: 1)
        buffer.append([delivery(1)])
        buffer.begin(epoch: 2)
        #expect(buffer.takeLeftovers().isEmpty)
        #expect(buffer.currentEpoch == 2)
    }

    @Test func statesReachEveryObserver() async throws {
        let control = ConnectionControl()
        var states = control.states().makeAsyncIterator()
        #expect(await states.next() == .idle)
        async let ready: Void = control.waitUntilReady()
        control.publish(.connecting(attempt: 1))
        control.publish(.ready)
        try await ready
        #expect(await states.next() == .connecting(attempt: 1))
        #expect(await states.next() == .ready)
        control.publish(.stopped)
        #expect(await states.next() == .stopped)
        #expect(await states.next() == nil)
        await #expect(throws: RabbitMQError.self) { try await control.waitUntilReady() }
        var late = control.states().makeAsyncIterator()
        #expect(await late.next() == .stopped)
        #expect(await late.next() == nil)
    }

    @Test func waitingForReadinessCanBeCancelled() async {
        let control = ConnectionControl()
        let waiting = Task { try await control.waitUntilReady() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }

    @Test func fifoBehavesLikeAnArray() {
        var generator = SplitMix(seed: 5)
        var fifo = FIFO<Int>()
        var model: [Int] = []
        for round in 0..<20_000 {
            switch Int.random(in: 0..<20, using: &generator) {
            case 0..<9:
                fifo.append(round)
                model.append(round)
            case 9..<16: #expect(fifo.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            case 16:
                let count = Int.random(in: -1...30, using: &generator)
                #expect(fifo.popFirst(count) == Array(model.prefix(max(count, 0))))
                model.removeFirst(min(max(count, 0), model.count))
            case 17:
                fifo.prepend(contentsOf: [round, -round])
                model.insert(contentsOf: [round, -round], at: 0)
            case 18:
                #expect(fifo.remove { $0 % 97 == 0 } == model.filter { $0 % 97 == 0 })
                model.removeAll { $0 % 97 == 0 }
            default: #expect(fifo.first == model.first)
            }
            #expect(fifo.count == model.count)
        }
        #expect(fifo.removeAll() == model)
    }

    @Test func publishingToAStoppedPublisherEndsAtOnce() async {
        let publisher = RabbitMQPublisher(
            configuration: .init(host: "127.0.0.1", port: 1, user: "u", password: "p"),
            logger: .init(label: "test")
        )
        publisher.stop()
        let message = RabbitMQMessage(exchange: "e", routingKey: "k", body: [1])
        #expect(await publisher.publish([message, message]) == [.notConnected, .notConnected])
        #expect(await publisher.publish([]).isEmpty)
        await publisher.run()
        #expect(publisher.state == .stopped)
    }

    /// The broker takes the message and never confirms it: nobody may wait for that whose time is over.
    @Test(arguments: [Duration.zero, .milliseconds(50)])
    func cancelledPublishDoesNotWaitForItsConfirm(grace: Duration) async throws {
        let broker = try #require(ScriptedBroker(.publish, []))
        defer { broker.stop() }
        var options = RabbitMQPublisher.Options()
        options.publishTimeout = .seconds(300)
        options.confirmStallTimeout = .seconds(300)
        options.cancellationGrace = grace
        let publisher = RabbitMQPublisher(
            configuration: .init(host: "127.0.0.1", port: broker.port, user: "u", password: "p"),
            options: options,
            logger: .init(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let lifetime = Task { await publisher.run() }
        let message = RabbitMQMessage(exchange: "e", routingKey: "k", body: [1])
        let publishing = Task { await publisher.publish([message, message]) }
        while broker.publishes < 2 { try await Task.sleep(for: .milliseconds(2)) }
        publishing.cancel()
        #expect(await publishing.value == [.unknown, .unknown])
        // Nor does the publisher's end.
        publisher.stop()
        await lifetime.value
        #expect(publisher.state == .stopped)
    }

    @Test func resultsAfterGivingUpAreIgnored() async {
        let call = PublishCall(count: 3)
        call.complete(1, .confirmed)
        #expect(!call.isAbandoned)
        call.abandon()
        #expect(call.isAbandoned)
        call.complete(0, .confirmed)
        call.complete(1, .nacked)
        call.abandon()
        #expect(await call.results() == [.unknown, .confirmed, .unknown])
    }

    /// When the connection breaks in the middle of several commands, nobody waits for ever.
    @Test func commandsBehindABrokenOneAreAnswered() async {
        let mailbox = Mailbox<SettleCommand>(capacity: 3, wake: WakeDescriptor())
        let settlement = RabbitMQSettlement.ack(delivery(1))
        let settling: [Task<[RabbitMQSettleOutcome], Never>] = (0..<3).map { _ in
            Task {
                await withCheckedContinuation { (continuation: CheckedContinuation<[RabbitMQSettleOutcome], Never>) in
                    _ = mailbox.send(SettleCommand(settlements: [settlement], continuation: continuation))
                }
            }
        }
        var taken: [SettleCommand] = []
        while taken.count < 3 {
            taken += mailbox.takeAll()
            await Task.yield()
        }
        let commands = taken
        #expect(throws: RabbitMQError.self) {
            try ConsumerRole.settleEach(commands) { (command) throws(RabbitMQError) in
                command.continuation.resume(returning: [.settled])
                throw RabbitMQError(.connectionClosed, "gone")
            }
        }
        var outcomes: [RabbitMQSettleOutcome] = []
        for task in settling { outcomes += await task.value }
        #expect(outcomes.count(where: { $0 == .settled }) == 1)
        #expect(outcomes.count(where: { $0 == .stale }) == 2)
    }

    @Test func messagesThatCannotBeSentAreNamed() async {
        var options = RabbitMQPublisher.Options()
        options.maximumMessageSize = 10
        let publisher = RabbitMQPublisher(
            configuration: .init(host: "127.0.0.1", port: 1, user: "u", password: "p"),
            options: options,
            logger: .init(label: "test")
        )
        let large = RabbitMQMessage(exchange: "e", routingKey: "k", body: Array(repeating: 0, count: 11))
        let longKey = RabbitMQMessage(exchange: "e", routingKey: String(repeating: "k", count: 256), body: [])
        let results = await publisher.publish([large, longKey])
        #expect(results.first == .tooLarge(limit: 10))
        #expect(results.last == .invalid("the routing key is longer than 255 bytes"))
    }

    @Test func unreachableBrokerIsReportedAndCancellationEnds() async throws {
        var configuration = RabbitMQConfiguration(host: "127.0.0.1", port: 1, user: "u", password: "p")
        configuration.backoff = .init(base: .milliseconds(1), cap: .milliseconds(2))
        let consumer = RabbitMQConsumer(
            configuration: configuration,
            options: .init(subscriptions: [.init(queue: "q")]),
            logger: .init(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let lifetime = Task { await consumer.run() }
        var failures = 0
        for await state in consumer.states() {
            if case .disconnected(let error, _) = state {
                #expect(error.code == .connectFailed)
                failures += 1
                if failures == 3 { break }
            }
        }
        lifetime.cancel()
        await lifetime.value
        #expect(consumer.state == .stopped)
        #expect(try await consumer.nextBatch(max: 1).isEmpty)
        #expect(await consumer.settle([.ack(delivery(1))]) == [.stale])
    }
}
