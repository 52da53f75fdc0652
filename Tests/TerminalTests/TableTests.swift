import Terminal
import Testing

@Suite struct TableTests {
    private func table() -> Table {
        var table = Table([.text("NAME"), .number("COUNT"), .text("WHY")])
        table.add(["one", .init(Int64(1_234_567)), "because it is so"])
        table.add(["twenty-two", .init(Int64?.none), ""])
        return table
    }

    @Test func wordsStandToTheLeftAndNumbersToTheRight() {
        #expect(
            table().lines(width: nil) == [
                "NAME            COUNT  WHY",
                "one         1,234,567  because it is so",
                "twenty-two",
            ]
        )
    }

    @Test func whatDoesNotFitGoesOnInAFurtherLine() {
        #expect(
            table().lines(width: 34) == [
                "NAME            COUNT", "    WHY",
                "one         1,234,567", "    because it is so",
                "twenty-two",
            ]
        )
    }

    @Test func theLastColumnIsBrokenBetweenWords() {
        var table = Table([.text("ID"), .text("WHAT")])
        table.add(["a", "one two three four five six seven eight"])
        let lines = table.lines(width: 36)
        #expect(lines == ["ID  WHAT", "a   one two three four five six", "    seven eight"])
        #expect(lines.allSatisfy { $0.count <= 36 })
    }

    @Test func nothingFromOutsideMovesTheCursor() {
        var table = Table([.text("ID")])
        table.add([.init("a\u{1B}[2Jb\r\nc")])
        #expect(table.lines(width: 80).last == "a·[2Jb··c")
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"),
        (Int64.min, "-9,223,372,036,854,775,808"),
    ])
    func thousandsStandApart(_ number: Int64, _ text: String) {
        #expect(grouped(number) == text)
    }
}
