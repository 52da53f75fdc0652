import Testing

@testable import RabbitMQ

@Suite struct AckLedgerTests {
    private func ledger(_ count: UInt64, limit: Int = 100) -> AckLedger {
        var ledger = AckLedger(limit: limit)
        for tag in 1...count { #expect(ledger.delivered(tag: tag) == true) }
        return ledger
    }

    @Test(arguments: [
        ([1, 2, 3, 4, 5] as [UInt64], [AckLedger.Frame.ack(tag: 5, multiple: true)]),
        ([3, 1, 2], [.ack(tag: 3, multiple: true)]),
        ([1], [.ack(tag: 1, multiple: false)]),
        ([2, 3], [.ack(tag: 2, multiple: false), .ack(tag: 3, multiple: false)]),
        ([1, 2, 4], [.ack(tag: 2, multiple: true), .ack(tag: 4, multiple: false)]),
    ])
    func usesOneFrameForThePrefix(tags: [UInt64], expected: [AckLedger.Frame]) {
        var ledger = ledger(5)
        let settled = ledger.settle(tags.map { ($0, .ack) })
        #expect(settled.frames == expected)
        #expect(settled.accepted == tags.map { _ in true })
        #expect(ledger.outstanding == 5 - tags.count)
    }

    @Test func refusalsGoFirst() {
        var ledger = ledger(4)
        let settled = ledger.settle([(1, .ack), (2, .reject), (3, .requeue), (4, .ack)])
        #expect(
            settled.frames == [
                .nack(tag: 2, requeue: false), .nack(tag: 3, requeue: true), .ack(tag: 4, multiple: true),
            ]
        )
    }

    @Test func acknowledgesAcrossWhatWasSettledBefore() {
        var ledger = ledger(4)
        _ = ledger.settle([(2, .ack), (3, .reject)])
        #expect(ledger.settle([(1, .ack), (4, .ack)]).frames == [.ack(tag: 4, multiple: true)])
        #expect(ledger.outstanding == 0)
    }

    @Test func settlesOnce() {
        var ledger = ledger(3)
        let settled = ledger.settle([(2, .ack), (2, .reject), (9, .ack), (0, .ack)])
        #expect(settled.accepted == [true, false, false, false])
        #expect(settled.frames == [.ack(tag: 2, multiple: false)])
        #expect(ledger.settle([(2, .requeue)]) == AckLedger.Settled(frames: [], accepted: [false]))
    }

    @Test func distrustsDeliveries() {
        var ledger = AckLedger(limit: 2)
        #expect(ledger.delivered(tag: 0) == false)
        #expect(ledger.delivered(tag: 1) == true)
        #expect(ledger.delivered(tag: 1) == false)
        #expect(ledger.delivered(tag: 5) == true)
        #expect(ledger.delivered(tag: 6) == false)
        _ = ledger.settle([(1, .ack)])
        #expect(ledger.delivered(tag: 6) == true)
    }

    /// Against a model of the broker: whatever is settled in whatever order, the broker sees exactly what was asked for.
    @Test func agreesWithABroker() {
        var generator = SplitMix(seed: 11)
        for _ in 0..<50 {
            var ledger = AckLedger(limit: 64)
            var unacknowledged: Set<UInt64> = []
            var wanted: [UInt64: AckLedger.Action] = [:]
            var seen: [UInt64: AckLedger.Action] = [:]
            var next: UInt64 = 1
            for _ in 0..<200 {
                while ledger.outstanding < 64, Int.random(in: 0..<8, using: &generator) > 0 {
                    #expect(ledger.delivered(tag: next) == true)
                    unacknowledged.insert(next)
                    next += 1
                }
                let free = unacknowledged.sorted().filter { _ in Bool.random(using: &generator) }
                let actions: [AckLedger.Action] = [.ack, .ack, .ack, .requeue, .reject]
                let requests = free.map { (tag: $0, action: actions.randomElement(using: &generator) ?? .ack) }
                for request in requests { wanted[request.tag] = request.action }
                for frame in ledger.settle(requests).frames {
                    switch frame {
                    case .nack(let tag, let requeue):
                        #expect(unacknowledged.remove(tag) != nil)
                        seen[tag] = requeue ? .requeue : .reject
                    case .ack(let tag, let multiple):
                        // The broker closes the channel for a tag that it does not have out.
                        #expect(unacknowledged.contains(tag))
                        for other in unacknowledged where other == tag || (multiple && other < tag) {
                            unacknowledged.remove(other)
                            seen[other] = .ack
                        }
                    }
                }
                #expect(ledger.outstanding == unacknowledged.count)
            }
            #expect(seen == wanted)
        }
    }
}
