import KitTestSupport
import Testing

@testable import DurableStore

@Suite struct WakeSignalTests {
    @Test func aSignalBeforeTheWaitIsKept() async {
        let signal = WakeSignal()
        signal.signal()
        signal.signal()
        await signal.wait()
        let start = ContinuousClock.now
        await signal.wait(atMost: .milliseconds(20))
        #expect(ContinuousClock.now - start >= .milliseconds(19))
    }

    @Test func aWaiterIsWokenByASignalOrItsCancellation() async {
        let signal = WakeSignal()
        let done = Recorder<Int>()
        let first = Task {
            await signal.wait()
            done.add(1)
        }
        signal.signal()
        await first.value
        let second = Task {
            await signal.wait(atMost: .seconds(600))
            done.add(2)
        }
        second.cancel()
        await second.value
        #expect(done.all == [1, 2])
    }

    @Test func noSignalIsLostInARace() async {
        let signal = WakeSignal()
        let rounds = 5000
        let box = Recorder<Int>()
        let consumer = Task {
            var seen = 0
            while seen < rounds {
                await signal.wait(atMost: .seconds(30))
                seen = box.count
            }
        }
        for round in 0..<rounds {
            box.add(round)
            signal.signal()
            if round % 64 == 0 { await Task.yield() }
        }
        await consumer.value
        #expect(box.count == rounds)
    }

    /// One alarm serves all waits: it must neither ring too late for a shorter one nor end a longer one.
    @Test func eachWaitEndsAtItsOwnLimit() async {
        let signal = WakeSignal()
        for milliseconds in [40, 10, 60, 5, 1, 30] {
            let limit = Duration.milliseconds(milliseconds)
            let long = Task { await signal.wait(atMost: .seconds(600)) }
            await Task.yield()
            signal.signal()
            await long.value
            let start = ContinuousClock.now
            await signal.wait(atMost: limit)
            let waited = ContinuousClock.now - start
            #expect(waited >= limit)
            #expect(waited < .seconds(60))
        }
    }

    /// The alarm of a wait that a signal ended rings in the next one, which goes on waiting.
    @Test func theAlarmOfTheWaitBeforeEndsNoOther() async {
        let signal = WakeSignal()
        for _ in 0..<5 {
            let ringer = Task {
                try? await Task.sleep(for: .milliseconds(5))
                signal.signal()
            }
            await signal.wait(atMost: .milliseconds(60))
            await ringer.value
            // On a busy machine the signal may have come too late for its wait: it is not for the next one.
            await signal.wait(atMost: .zero)
            let start = ContinuousClock.now
            await signal.wait(atMost: .milliseconds(150))
            #expect(ContinuousClock.now - start >= .milliseconds(150))
        }
    }
}
