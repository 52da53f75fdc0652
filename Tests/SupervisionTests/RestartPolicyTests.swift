import Testing

@testable import Supervision

@Suite("Restart policy")
struct RestartPolicyTests {
    private let policy = RestartPolicy()

    @Test("The first restart comes within 200 ms, whatever the jitter", arguments: [-1.0, 0, 0.25, 0.5, 1, 7])
    func firstDelay(jitter: Double) {
        let delay = policy.delay(failures: 1, jitter: jitter)
        #expect(delay >= .milliseconds(90) && delay <= .milliseconds(150))
    }

    @Test("The delay doubles up to the cap and never passes it")
    func doubling() {
        let plain = (1...12).map { policy.delay(failures: $0, jitter: 0.5).wholeMilliseconds }
        #expect(plain == [120, 240, 480, 960, 1920, 3840, 7680, 10_000, 10_000, 10_000, 10_000, 10_000])
        for failures in [1, 8, 40, 10_000, Int.max] {
            #expect(policy.delay(failures: failures, jitter: 1) <= policy.cap)
        }
    }

    @Test("Senseless counts are taken as the first failure", arguments: [0, -5, Int.min])
    func senseless(failures: Int) {
        #expect(policy.delay(failures: failures, jitter: 0.5) == .milliseconds(120))
    }
}

@Suite("Times")
struct TimeTests {
    @Test("Arithmetic saturates instead of trapping")
    func saturation() {
        let last = MonotonicTime(milliseconds: .max)
        #expect(last + .seconds(1) == last)
        #expect(MonotonicTime(milliseconds: .min) + .seconds(-1) == MonotonicTime(milliseconds: .min))
        #expect((last - MonotonicTime(milliseconds: .min)).wholeMilliseconds == .max)
        #expect(Duration.seconds(Int64.max).wholeMilliseconds == .max)
    }

    @Test(
        "RFC 3339 text",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"), (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
            (-5, "1970-01-01T00:00:00.000Z"), (.max, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)]
    )
    func text(milliseconds: Int64, expected: String) {
        #expect(WallTime.text(millisecondsSince1970: milliseconds) == expected)
    }

    @Test(
        "Uptime for people",
        arguments: [
            (0.04, "0.0s"), (59.96, "59.9s"), (61, "1m01s"), (3600, "1h00m"), (90_000, "1d01h"), (-3, "0.0s"),
        ] as [(Double, String)]
    )
    func uptime(seconds: Double, expected: String) {
        #expect(StatusTable.uptime(seconds) == expected)
    }
}
