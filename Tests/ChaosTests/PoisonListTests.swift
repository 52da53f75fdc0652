import Testing

@testable import Chaos

/// What must be found among the dead letters, and what only may be.
struct PoisonListTests {
    @Test("Poison that arrived must be a dead letter")
    func arrived() {
        var list = PoisonList()
        list.send("a", to: "order.inbox", at: 1000)
        list.arrive("a")
        list.send("b", to: "orders", at: 1000)
        list.arrive("b")
        #expect(list.certain == ["a", "b"] && list.doubtful.isEmpty)
        #expect(list.text == "a\nb\n")
    }

    @Test("Poison whose sending failed may have arrived all the same")
    func sendingFailed() {
        var list = PoisonList()
        list.send("a", to: "order.inbox", at: 1000)
        #expect(list.certain.isEmpty && list.doubtful == ["a"])
        #expect(list.text == "a ?\n")
    }

    @Test("A queue that is deleted takes what may still be in it, and nothing else")
    func deleted() {
        var list = PoisonList()
        for (id, place, at) in [
            ("long-handled", "order.inbox", 0), ("in-it", "order.inbox", 70_000),
            ("elsewhere", "payment.inbox", 70_000),
            ("brand-new", "order.inbox", 105_000), ("after", "order.inbox", 111_000),
        ] as [(String, String, Int64)] {
            list.send(id, to: place, at: at)
            list.arrive(id)
        }
        list.delete("order.inbox", at: 100_000)
        #expect(list.certain == ["long-handled", "elsewhere", "after"])
        #expect(list.doubtful == ["in-it", "brand-new"])
    }

    @Test("What is poison for a topic is refused by somebody who reads it")
    func payloads() {
        #expect(Set(Poison.payloads).count == Poison.payloads.count)
        #expect(!Poison.payloads(for: "inventory").contains(Array("{}".utf8)))
        #expect(Poison.payloads(for: "inventory").count == 7)
        #expect(Poison.payloads(for: "orders") == Poison.payloads)
    }
}
