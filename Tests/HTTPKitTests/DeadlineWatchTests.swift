import Synchronization
import Testing

@testable import HTTPKit

@Suite(.timeLimit(.minutes(1))) struct DeadlineWatchTests {
    /// Waits for its own cancellation.
    private static func cancelled() async -> ContinuousClock.Instant {
        try? await Task.sleep(for: .seconds(600))
        return .now
    }

    @Test("each operation is cancelled at its own deadline, whatever the order in which they came")
    func deadlines() async {
        let watch = DeadlineWatch()
        // One that is far away must not be the one that the alarm is set for.
        let far = Task { await watch.run(within: .seconds(600)) { await Self.cancelled() } }
        defer { far.cancel() }
        await withTaskGroup { group in
            for milliseconds in [300, 20, 120, 1, 60, 20] {
                let start = ContinuousClock.now
                group.addTask {
                    let (end, isLate) = await watch.run(within: .milliseconds(milliseconds)) { await Self.cancelled() }
                    #expect(isLate)
                    #expect(end - start >= .milliseconds(milliseconds))
                    #expect(end - start < .seconds(60))
                }
            }
        }
    }

    @Test("what ends in time is not late, and leaves nothing behind that would cancel another")
    func inTime() async {
        let watch = DeadlineWatch()
        for number in 0..<200 {
            let (output, isLate) = await watch.run(within: .seconds(600)) { number }
            #expect(output == number)
            #expect(!isLate)
        }
        let (_, isLate) = await watch.run(within: .milliseconds(5)) { await Self.cancelled() }
        #expect(isLate)
    }

    @Test("the caller's cancellation reaches the operation and is no lateness")
    func cancellation() async {
        let watch = DeadlineWatch()
        let caller = Task { await watch.run(within: .seconds(600)) { await Self.cancelled() } }
        caller.cancel()
        #expect(await caller.value.isLate == false)
    }
}
