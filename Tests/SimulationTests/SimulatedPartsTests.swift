import Messaging
import Simulation
import Testing

@Suite("Simulation: the parts that a world is made of")
struct SimulatedPartsTests {
    private let now = Timestamp(millisecondsSinceEpoch: 1_000_000)

    private func message(
        _ id: String,
        subject: String = "a",
        to destination: Destination = .inbox("x.inbox")
    ) -> OutgoingMessage {
        OutgoingMessage(
            to: destination,
            Envelope(
                id: id,
                source: "/test",
                type: "test.v1",
                subject: subject,
                time: now,
                correlationID: "c",
                body: [1]
            )
        )
    }

    @Test("a seed decides every number, and another seed gives others")
    func randomIsDecidedByTheSeed() {
        func numbers(_ seed: UInt64) -> [UInt64] {
            var random = SeededRandom(seed: seed)
            return (0..<20).map { _ in random.next() }
        }
        #expect(numbers(7) == numbers(7))
        #expect(numbers(7) != numbers(8))
        var random = SeededRandom(seed: 3)
        for _ in 0..<1000 {
            let (number, never, always) = (random.within(2...9), random.chance(0), random.chance(1000))
            #expect((2...9).contains(number) && !never && always)
        }
        let nothing = random.pick([Int]())
        #expect(nothing == nil)
    }

    @Test("time moves only forward, and a machine's clock may be off in both directions")
    func timeMovesForward() {
        let time = SimulatedTime(now)
        let clock = SimulatedClock(time)
        time.advance(byMilliseconds: 5)
        time.advance(byMilliseconds: -100)
        time.advance(to: now)
        #expect(time.now == now.advanced(byMilliseconds: 5))
        clock.skewMilliseconds = -30
        #expect(clock.now() == now.advanced(byMilliseconds: -25))
    }

    @Test("the hash of a trace depends on what and in which order")
    func hashDependsOnOrder() {
        func hash(_ lines: [String]) -> String {
            var hash = TraceHash()
            for line in lines { hash.add(line) }
            return hash.text
        }
        #expect(hash(["a", "b"]) == hash(["a", "b"]))
        #expect(hash(["a", "b"]) != hash(["b", "a"]))
        #expect(hash(["ab"]) != hash(["a", "b"]))
        #expect(hash([]).count == 16)
    }

    @Test(
        "a delivery stays with its consumer until it is settled, and comes back redelivered when the connection is lost"
    )
    func deliveriesComeBack() throws {
        var broker = SimulatedBroker(inboxes: ["x.inbox"])
        for id in ["1", "2", "3"] {
            let isTaken = broker.publish(message(id), at: now)
            #expect(isTaken)
        }
        let taken = broker.deliver(from: "x.inbox", limit: 2)
        #expect(taken.map(\.message.envelope.id) == ["1", "2"])
        #expect(broker.readyCount("x.inbox") == 1)
        broker.acknowledge(taken[0].number, in: "x.inbox")
        let result1 = broker.connectionLost("x.inbox")
        #expect(result1 == 1)
        let again = broker.deliver(from: "x.inbox", limit: 5)
        #expect(again.map(\.message.envelope.id) == ["2", "3"])
        #expect(again.map(\.isRedelivered) == [true, false])
        broker.requeue(again[1].number, in: "x.inbox")
        let result2 = broker.deliver(from: "x.inbox", limit: 5)
        #expect(result2.map(\.isRedelivered) == [true])
    }

    @Test("a retry waits for its time, and a message that no queue takes is returned")
    func retriesWait() {
        var broker = SimulatedBroker(inboxes: ["x.inbox"])
        var retry = message("1", to: .exchange("x.inbox.retry", routingKey: "x.inbox.retry.5s"))
        retry.expirationMilliseconds = 5000
        let result3 = broker.publish(retry, at: now)
        #expect(result3)
        broker.release(at: now.advanced(byMilliseconds: 4999))
        #expect(broker.readyCount("x.inbox") == 0 && !broker.isEmpty)
        broker.release(at: now.advanced(byMilliseconds: 5000))
        #expect(broker.readyCount("x.inbox") == 1)
        let result4 = broker.publish(message("2", to: .inbox("nobody.inbox")), at: now)
        #expect(!result4)
        broker.set("x.inbox", exists: false)
        let result5 = broker.publish(message("3"), at: now)
        #expect(!result5)
        let result6 = broker.wipe("x.inbox")
        #expect(result6 == 1)
        #expect(broker.isEmpty)
    }

    @Test("the records of one key are in one partition, in order, and can be read again")
    func recordsKeepTheirOrder() {
        var log = SimulatedLog(topics: ["t", "u"], partitions: 3)
        for index in 0..<30 { _ = log.append(message("\(index)", subject: "key-\(index % 5)", to: .topic("u"))) }
        let result7 = log.append(message("x", to: .topic("nowhere")))
        #expect(result7 == nil)
        #expect(log.all.count == 30)
        for key in 0..<5 {
            let own = log.all.filter { $0.key == "key-\(key)" }
            #expect(Set(own.map(\.partition)).count == 1)
            #expect(own.map(\.envelope.id) == (0..<6).map { "\($0 * 5 + key)" })
        }
        let lanes = log.lanes(of: "u")
        #expect(lanes.reduce(0) { $0 + Int(log.end(of: $1)) } == 30)
        #expect(log.lanes(of: "t").allSatisfy { log.end(of: $0) == 0 })
        #expect(lanes.allSatisfy { log.read($0, from: 1, limit: 100).count == max(0, Int(log.end(of: $0)) - 1) })
    }
}
