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
}
