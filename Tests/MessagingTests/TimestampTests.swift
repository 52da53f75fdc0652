import Messaging
import Testing

@Suite struct TimestampTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00.000Z", 0), ("2026-11-20T21:24:14.003Z", 1_795_209_854_003),
        ("0001-01-01T00:00:00.000Z", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999), ("1969-12-31T23:59:59.999Z", -1),
        ("2000-02-29T12:00:00.500Z", 951_825_600_500),
    ])
    func canonicalText(text: String, milliseconds: Int64) {
        #expect(Timestamp(text)?.millisecondsSinceEpoch == milliseconds)
        #expect(Timestamp(millisecondsSinceEpoch: milliseconds).description == text)
    }

    @Test(arguments: [
        ("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000Z"),
        ("2025-12-31T19:30:00.1-04:30", "2026-01-01T00:00:00.100Z"),
        ("2026-01-01t00:00:00.123456789z", "2026-01-01T00:00:00.123Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"),
    ])
    func otherForms(text: String, canonical: String) {
        #expect(Timestamp(text)?.description == canonical)
    }

    @Test(arguments: [
        "", "x", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60",
        "2026-01-01 00:00:00Z", "0000-01-01T00:00:00Z", "２026-01-01T00:00:00Z", "2026-01-01T00:00:00ZZ",
        "-026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.000000000000000000000000Z", "+2026-01-01T00:00:00Z",
        // Outside of the years that have a text of their own.
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59.999-00:01",
    ])
    func hostileText(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func arithmeticClamps() {
        let last = Timestamp(millisecondsSinceEpoch: .max)
        let first = Timestamp(millisecondsSinceEpoch: .min)
        #expect(last.advanced(byMilliseconds: 1) == last)
        #expect(first.advanced(byMilliseconds: -1) == first)
        #expect(last.milliseconds(since: first) == .max)
        #expect(first.milliseconds(since: last) == .min)
        #expect(Timestamp(millisecondsSinceEpoch: 5).advanced(by: .seconds(Int64.max)).millisecondsSinceEpoch == .max)
        #expect(Duration.milliseconds(-1500).wholeMilliseconds == -1500)
        #expect(Duration.seconds(Int64.min).wholeMilliseconds == .min)
        #expect(Duration.nanoseconds(1_999_999).wholeMilliseconds == 1)
    }

    @Test func everyDayOfFourHundredYearsRoundTrips() {
        for day in stride(from: Int64(-200 * 365), to: 200 * 365, by: 1) {
            let time = Timestamp(millisecondsSinceEpoch: day * 86_400_000 + 43_200_001)
            #expect(Timestamp(time.description) == time)
        }
    }

    @Test func theSystemClockTellsTheTime() {
        let now = SystemClock().now()
        #expect(now > Timestamp(millisecondsSinceEpoch: 1_700_000_000_000))
    }
}
