import Testing

@testable import Kafka

@Suite("Producer: window, queue, table, results")
struct ProducerPartsTests {
    @Test("The window admits up to both bounds, and one oversized record alone")
    func window() {
        var window = ProducerWindow(maxMessages: 2, maxBytes: 100)
        #expect(window.admits(bytes: 1_000))
        window.add(bytes: 60)
        #expect(window.admits(bytes: 40))
        #expect(!window.admits(bytes: 41))
        window.add(bytes: 40)
        #expect(!window.admits(bytes: 0))
        window.remove(bytes: 60)
        #expect(window.admits(bytes: 60))
        window.reset()
        #expect(window.messages == 0 && window.bytes == 0)
        #expect(ProducerWindow(maxMessages: 0, maxBytes: -1).maxMessages == 1)
    }

    @Test("The queue keeps order over many removals")
    func fifo() {
        var fifo = Fifo<Int>()
        var expected = 0
        for round in 0..<100 {
            fifo.append(contentsOf: Array(round * 10..<round * 10 + 10))
            for _ in 0..<7 {
                #expect(fifo.first == expected)
                fifo.removeFirst()
                expected += 1
            }
        }
        #expect(fifo.count == 300)
        fifo.removeAll { $0 % 2 == 0 }
        #expect(fifo.takeAll() == Array(700..<1_000).filter { $0 % 2 == 1 })
        #expect(fifo.isEmpty)
        fifo.removeFirst()
        #expect(fifo.first == nil)
    }

    @Test("Replacing a broken handle: at once, then with growing waits, again at once after a success")
    func backoff() {
        var backoff = RecreationBackoff()
        #expect(backoff.next() == .zero)
        #expect(backoff.next() == .milliseconds(100))
        #expect(backoff.next() == .milliseconds(200))
        for _ in 0..<20 { _ = backoff.next() }
        #expect(backoff.next() == .seconds(5))
        backoff.succeeded()
        #expect(backoff.next() == .zero)
    }

    @Test("Numbers in flight are reused, never 0, and unknown ones are ignored")
    func table() async {
        await withSubmission(records: 1) { submission in
            var table = InFlightTable()
            let first = table.insert(.init(submission: submission, index: 0, bytes: 1))
            let second = table.insert(.init(submission: submission, index: 0, bytes: 2))
            #expect(first != 0 && second != 0 && first != second)
            #expect(table.take(first)?.bytes == 1)
            #expect(table.take(first)?.bytes == nil)
            #expect(table.take(0)?.bytes == nil)
            #expect(table.take(99)?.bytes == nil)
            #expect(table.insert(.init(submission: submission, index: 0, bytes: 3)) == first)
            #expect(table.count == 2)
            table.removeAll()
            #expect(table.count == 0)
            submission.finish(.tooLarge)
        }
    }

    @Test("A call given up: handed over is unsure, the rest is not persisted, results stay in order")
    func givingUp() async {
        let results = await withSubmission(records: 4) { submission in
            submission.handedOver()
            submission.handedOver()
            submission.refused(.tooLarge)
            submission.settle(0, .persisted(partition: 1, offset: 7))
            submission.giveUp(.cancelled)
            // A late report changes nothing.
            submission.settle(1, .persisted(partition: 1, offset: 8))
        }
        #expect(
            results == [
                .persisted(partition: 1, offset: 7), .possiblyPersisted(.cancelled), .tooLarge,
                .notPersisted(.cancelled),
            ]
        )
    }

    @Test(
        "Every report becomes one result",
        arguments: [
            (Delivery.Status.persisted, KafkaErrorCode.none, KafkaPublishResult.persisted(partition: 2, offset: 5)),
            (.notPersisted, .purgedFromQueue, .notPersisted(.purgedFromQueue)),
            (.possiblyPersisted, .transport, .possiblyPersisted(.transport)),
            (.notPersisted, .messageTooLarge, .tooLarge),
            // An earlier sending may have been taken.
            (.possiblyPersisted, .recordListTooLarge, .possiblyPersisted(.recordListTooLarge)),
            (.persisted, .duplicateSequence, .persisted(partition: 2, offset: 5)),
        ]
    )
    func results(status: Delivery.Status, code: KafkaErrorCode, expected: KafkaPublishResult) {
        let delivery = Delivery(token: 1, code: code, status: status, partition: 2, offset: 5)
        #expect(KafkaPublishResult(delivery) == expected)
    }

    @Test("Which results ask for another attempt")
    func again() {
        #expect(!KafkaPublishResult.persisted(partition: 0, offset: 0).shouldPublishAgain)
        #expect(KafkaPublishResult.possiblyPersisted(.outOfOrderSequence).shouldPublishAgain)
        #expect(KafkaPublishResult.notPersisted(.closed).shouldPublishAgain)
        #expect(KafkaPublishResult.notPersisted(.transport).shouldPublishAgain)
        #expect(!KafkaPublishResult.notPersisted(.topicAuthorizationFailed).shouldPublishAgain)
        #expect(!KafkaPublishResult.notPersisted(.invalidTopic).shouldPublishAgain)
        #expect(!KafkaPublishResult.tooLarge.shouldPublishAgain)
        #expect(!KafkaPublishResult.fatal(.invalidArgument).shouldPublishAgain)
    }

    @Test("The inbox: each state answers each input")
    func inbox() async {
        await withSubmission(records: 1) { submission in
            var inbox = ProducerInbox()
            guard case .wait = inbox.submit(submission) else { return void(Issue.record("idle takes calls")) }
            guard case .none = inbox.cancel(99) else { return void(Issue.record("unknown calls cannot be given up")) }
            #expect(inbox.start() == nil)
            #expect(inbox.start()?.code == .alreadyRunning)
            guard case .none = inbox.cancel(submission.id) else {
                return void(Issue.record("the thread gives up when running"))
            }
            guard case .none = inbox.shutdown() else { return void(Issue.record("the thread closes when running")) }
            guard case .refuse(.notPersisted(.closed)) = inbox.submit(submission) else {
                return void(Issue.record("draining takes no calls"))
            }
            let intake = inbox.take()
            #expect(intake.arrived.count == 1 && intake.cancelled == [submission.id] && intake.isDraining)
            #expect(inbox.take().arrived.isEmpty)
            _ = inbox.close(KafkaError(.invalidArgument))
            guard case .refuse(.fatal(.invalidArgument)) = inbox.submit(submission) else {
                return void(Issue.record("a refused start is fatal for every call"))
            }
            #expect(inbox.start()?.code == .closed)
            submission.finish(.tooLarge)
        }
    }

    private func void(_ issue: Issue) {}

    @discardableResult
    private func withSubmission(records: Int, _ body: (Submission) -> Void) async -> [KafkaPublishResult] {
        await withCheckedContinuation { caller in
            let record = KafkaRecord(topic: "t", value: nil)
            body(Submission(id: 1, records: Array(repeating: record, count: records), caller: caller))
        }
    }
}
