import Messaging
import Testing

@Suite struct RetryPolicyTests {
    @Test func levelsFollowTheAttempts() {
        let policy = RetryPolicy.standard
        #expect(policy.maximumAttempts == 6)
        #expect((1...5).map { policy.level(afterFailedAttempt: $0)?.name } == ["1s", "5s", "30s", "2m", "10m"])
        for attempt in [0, -1, 6, 7, Int.max, Int.min] { #expect(policy.level(afterFailedAttempt: attempt) == nil) }
        #expect(RetryPolicy(levels: []).level(afterFailedAttempt: 1) == nil)
        #expect(RetryPolicy(levels: []).maximumAttempts == 1)
    }

    @Test func jitterStaysWithinTheLevel() {
        for level in RetryPolicy.standard.levels + [RetryPolicy.Level(name: "0", delay: .zero)] {
            for random in [0, 1, 12_345, UInt64.max, UInt64.max / 2] {
                let stay = RetryPolicy.standard.jitteredMilliseconds(at: level, random: random)
                #expect(stay >= 1)
                #expect(stay <= max(1, level.delay.wholeMilliseconds))
                #expect(stay >= level.delay.wholeMilliseconds * 8 / 10)
            }
        }
    }

    @Test func everyErrorHasAClass() {
        struct Odd: Error {}
        #expect(Failure(classifying: Odd()).failureClass == .retryable)
        #expect(Failure(classifying: Odd()).code == "unclassified")
        #expect(Failure(classifying: CancellationError()).failureClass == .interrupted)
        #expect(Failure(classifying: EnvelopeFault(attribute: "ce_id", reason: .tooLong)).code == "envelope-too-long")
    }
}
