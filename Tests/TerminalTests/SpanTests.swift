import Terminal
import Testing

@Suite struct SpanTests {
    @Test(arguments: [
        ("500ms", 500), ("2s", 2000), ("2", 2000), ("1.5h", 5_400_000), ("7d", 604_800_000), ("1m", 60_000), ("0", 0),
        ("30d", 2_592_000_000),
    ])
    func isReadAsPeopleWriteIt(_ text: String, _ milliseconds: Int64) {
        #expect(Span(argument: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: ["", "s", "-1s", "31d", "1y", "1e400", "nan", "infinity", "two", "1 h s"])
    func anythingElseIsRefused(_ text: String) {
        #expect(Span(argument: text) == nil)
    }

    @Test func isShownAsItMayBeGiven() {
        #expect("\(Span(seconds: 90))" == "90s")
        #expect(Span(argument: "500ms").map { "\($0)" } == "500ms")
    }
}
