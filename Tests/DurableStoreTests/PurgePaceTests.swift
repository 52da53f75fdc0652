import KitTestSupport
import Messaging
import Testing

@testable import DurableStore

@Suite struct PurgePaceTests {
    @Test func longRoundsThatFindLittleComeMoreAndMoreRarely() {
        var pace = PurgePace(batch: 10)
        var pauses: [Int64] = []
        for _ in 0..<8 {
            // An outage of one broker: what the other one confirmed is a small part of what has to be walked.
            pace.add(looked: 10, deleted: 3)
            pace.add(looked: 10, deleted: 0)
            pace.finishRound()
            pauses.append(pace.pause)
        }
        #expect(pauses == [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
        pace.add(looked: 10, deleted: 10)
        pace.add(looked: 10, deleted: 0)
        pace.finishRound()
        #expect(pace.pause == PurgePace.shortest)
    }

    @Test func cheapRoundsAreNotHeldBack() {
        var pace = PurgePace(batch: 10)
        for looked in [0, 1, 10] {
            pace.add(looked: looked, deleted: 0)
            pace.finishRound()
            #expect(pace.pause == PurgePace.shortest)
        }
    }

    @Test func aPurgeSaysWhatItLookedAt() async throws {
        let clock = ManualClock()
        let store = try makeStore(clock: clock)
        try await store.add((0..<5).map { outgoing("old\($0)", subject: "k") })
        try await store.write { try OutboxTable.markPublished([2, 3], at: $0.now, keep: true, in: $0.db) }
        clock.advance(by: .seconds(10))
        try await store.add([outgoing("young", subject: "k")])
        let cutoff = clock.now().advanced(byMilliseconds: -5000)
        let first = try await store.write {
            try OutboxTable.purge(after: 0, publishedBefore: cutoff, limit: 4, in: $0.db)
        }
        #expect(first.cursor == 4 && first.looked == 4 && first.deleted == 2 && first.hasMore)
        let second = try await store.write {
            try OutboxTable.purge(after: first.cursor, publishedBefore: cutoff, limit: 4, in: $0.db)
        }
        #expect(second.cursor == 5 && second.looked == 1 && second.deleted == 0 && !second.hasMore)
    }
}
