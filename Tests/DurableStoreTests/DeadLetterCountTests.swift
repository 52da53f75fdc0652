import GRDB
import Testing

@testable import DurableStore

@Suite struct DeadLetterCountTests {
    @Test func onlyWhatIsHeldIsCounted() async throws {
        let fixture = try LetterFixture()
        #expect(try await fixture.store.heldDeadLetterCount() == 0)
        let ids = try await fixture.failCommands(["m1", "m2", "m3"])
        #expect(try await fixture.store.heldDeadLetterCount() == 3)
        _ = try await fixture.store.discardDeadLetter(ids[0], reason: "not wanted")
        #expect(try await fixture.store.heldDeadLetterCount() == 2)
    }

    /// It is asked each second: it must not read letters, whose headers and bodies may be hundreds of megabytes.
    @Test func theIndexAloneKnowsHowManyAreHeld() async throws {
        let store = try makeStore()
        let plan = try await store.read { db in
            try db.makeStatement(sql: "EXPLAIN QUERY PLAN " + DeadLetterTable.heldCount).all { try $0[3] as String }
        }
        #expect(plan.count == 1 && plan[0].contains("USING COVERING INDEX dead_letters_state"), "\(plan)")
    }
}
