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
        for level in RetryPolicy.standard.levels + [RetryPolicy.Level(.zero)] {
            for random in [0, 1, 12_345, UInt64.max, UInt64.max / 2] {
                let stay = RetryPolicy.standard.jitteredMilliseconds(at: level, random: random)
                #expect(stay >= 1)
                #expect(stay <= max(1, level.delay.wholeMilliseconds))
                #expect(stay >= level.delay.wholeMilliseconds * 8 / 10)
            }
        }
    }

    @Test(arguments: [
        ("1s,5s,30s,2m,10m", ["1s", "5s", "30s", "2m", "10m"]), ("60s", ["1m"]),
        ("999ms, 1000ms ,90s", ["999ms", "1s", "90s"]),
        ("1ms,24h", ["1ms", "24h"]),
    ])
    func delaysAreReadAndNamedByTheirLength(text: String, names: [String]) throws {
        let policy = try RetryPolicy(delays: text)
        #expect(policy.levels.map(\.name) == names)
        #expect(try RetryPolicy(delays: policy.delaysText) == policy)
    }

    @Test func theStandardIsWhatItsTextSays() throws {
        #expect(try RetryPolicy(delays: "1s,5s,30s,2m,10m") == .standard)
    }

    @Test(arguments: [
        ("", "“” is not a delay"), ("1s,", "“” is not a delay"), ("5", "“5” is not a delay"),
        ("s", "“s” is not a delay"),
        ("-1s", "“-1s” is not a delay"), ("1.5s", "“1.5s” is not a delay"), ("1 s", "“1 s” is not a delay"),
        ("٣s", "“٣s” is not a delay"), ("9223372036854775807h", "is not a delay"),
        ("99999999999999999999s", "is not a delay"),
        ("0s", "from 1ms to 24h, and 0s is not"), ("25h", "from 1ms to 24h, and 25h is not"),
        ("5s,1s", "1s is not longer than 5s"), ("60s,1m", "1m is not longer than 1m"),
        ((1...17).map { "\($0)s" }.joined(separator: ","), "more than 16"),
    ])
    func delaysThatCannotBeUsedAreRefusedWithTheReason(text: String, reason: String) {
        let fault = #expect(throws: RetryPolicyFault.self) { try RetryPolicy(delays: text) }
        #expect(fault?.description.contains(reason) == true, "\(String(describing: fault))")
    }

    @Test func jitterIsAsWideAsItIsConfigured() throws {
        for (percent, least) in [(0, 10_000), (1, 9_901), (50, 5_001), (90, 1_001), (1000, 1_001)] as [(Int, Int64)] {
            let policy = try RetryPolicy(delays: "10s", jitterPercent: percent)
            let stays = (0..<10_000).map { policy.jitteredMilliseconds(at: policy.levels[0], random: $0) }
            #expect(stays.max() == 10_000)
            #expect(stays.min() == least)
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
