import Testing

@testable import RabbitMQ

@Suite struct ConfirmTableTests {
    private func entries(_ outcome: ConfirmTable<String>.Outcome) -> [String]? {
        guard case .finished(let items) = outcome else { return nil }
        return items.map { item in
            item.returned.map { "\(item.entry)!\($0.code)" } ?? item.entry
        }
    }

    private func table(_ names: String...) -> ConfirmTable<String> {
        var table = ConfirmTable<String>()
        for name in names { table.add(name) }
        return table
    }

    @Test func numbersFromOne() {
        var table = ConfirmTable<String>()
        #expect(table.add("a") == 1)
        #expect(table.add("b") == 2)
        #expect(table.count == 2)
    }

    @Test(arguments: [
        (1 as UInt64, false, ["a"]), (1, true, ["a"]), (2, false, ["b"]), (2, true, ["a", "b"]), (3, false, ["c"]),
        (3, true, ["a", "b", "c"]), (0, true, ["a", "b", "c"]),
    ])
    func confirms(tag: UInt64, multiple: Bool, expected: [String]) {
        var table = table("a", "b", "c")
        #expect(entries(table.confirm(tag: tag, multiple: multiple)) == expected)
        #expect(table.count == 3 - expected.count)
    }

    @Test(arguments: [(0 as UInt64, false), (4, false), (4, true), (UInt64.max, false), (UInt64.max, true)])
    func refusesNonsense(tag: UInt64, multiple: Bool) {
        var table = table("a", "b", "c")
        #expect(entries(table.confirm(tag: tag, multiple: multiple)) == nil)
        #expect(table.count == 3)
    }

    @Test func countsEachConfirmOnce() {
        var table = table("a", "b", "c")
        #expect(entries(table.confirm(tag: 2, multiple: false)) == ["b"])
        #expect(entries(table.confirm(tag: 2, multiple: false)) == [])
        #expect(entries(table.confirm(tag: 2, multiple: true)) == ["a"])
        #expect(entries(table.confirm(tag: 1, multiple: true)) == [])
        #expect(table.add("d") == 4)
        #expect(entries(table.confirm(tag: 0, multiple: true)) == ["c", "d"])
        #expect(entries(table.confirm(tag: 0, multiple: true)) == [])
        #expect(table.count == 0)
    }

    @Test func knowsWhichHasWaitedLongest() {
        var table = table("a", "b", "c")
        #expect(table.oldest == "a")
        _ = table.confirm(tag: 2, multiple: false)
        #expect(table.oldest == "a")
        _ = table.confirm(tag: 1, multiple: false)
        #expect(table.oldest == "c")
        _ = table.confirm(tag: 3, multiple: false)
        #expect(table.oldest == nil)
        table.add("d")
        #expect(table.oldest == "d")
        _ = table.drain()
        #expect(table.oldest == nil)
    }

    @Test func attributesReturnsInOrder() {
        var table = table("x", "y", "x", "x")
        #expect((table.markReturned(.init(code: 312, text: "NO_ROUTE")) { $0 == "x" }) == true)
        #expect((table.markReturned(.init(code: 313, text: "NO_CONSUMERS")) { $0 == "x" }) == true)
        #expect((table.markReturned(.init(code: 312, text: "NO_ROUTE")) { $0 == "z" }) == false)
        #expect(entries(table.confirm(tag: 4, multiple: true)) == ["x!312", "y", "x!313", "x"])
    }

    @Test func startsAgainAfterDraining() {
        var table = table("a", "b", "c")
        _ = table.confirm(tag: 2, multiple: false)
        #expect(table.drain().map { $0.entry } == ["a", "c"])
        #expect(table.count == 0)
        #expect(table.add("d") == 1)
    }

    /// Any sequence of confirms finishes every entry exactly once.
    @Test func finishesEachEntryOnce() {
        var generator = SplitMix(seed: 7)
        for _ in 0..<50 {
            var table = ConfirmTable<Int>()
            var seen: [Int: Int] = [:]
            var added = 0
            for _ in 0..<600 {
                if Bool.random(using: &generator) {
                    for _ in 0..<Int.random(in: 1...5, using: &generator) {
                        added += 1
                        #expect(table.add(added) == UInt64(added))
                    }
                } else {
                    let tag = UInt64.random(in: 0...UInt64(added + 2), using: &generator)
                    let multiple = Int.random(in: 0..<4, using: &generator) == 0
                    if case .finished(let items) = table.confirm(tag: tag, multiple: multiple) {
                        for item in items { seen[item.entry, default: 0] += 1 }
                    }
                }
            }
            for item in table.drain() { seen[item.entry, default: 0] += 1 }
            #expect(seen.count == added)
            #expect(seen.values.allSatisfy { $0 == 1 })
        }
    }
}

/// A small reproducible generator.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
