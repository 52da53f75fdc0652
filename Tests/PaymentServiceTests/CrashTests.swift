import Commerce
import DurableStore
import KitTestSupport
import Messaging
import PaymentCore
import Testing

@testable import PaymentService

/// The store is dropped and opened again between any two steps; the gateway keeps what it has. Whatever the point, there is
/// one charge, and every command is answered in the end.
@Suite struct CrashTests {
    /// What the process before had done when it died.
    enum Point: String, CaseIterable {
        case authorizeStored, authorizeCalled, authorizeSettled, captureStored, captureCalled, captureSettled,
            cancelStored,
            refundCalled
    }

    @Test(arguments: Point.allCases, [false, true]) func killedAt(_ point: Point, answersAreLost: Bool) async throws {
        let database = try TemporaryDatabase()
        let gateway = ScriptedGateway()
        var harness = try Harness(gateway: gateway, path: database.path)
        gateway.setLosesAnswers(answersAreLost)

        func crash() async throws {
            await harness.store.close()
            harness = try Harness(gateway: gateway, path: database.path, clock: harness.clock.now())
            try await harness.runner.recover()
        }
        func isHere(_ here: Point) async throws {
            if here == point { try await crash() }
        }
        /// Makes the calls that are due, and dies before their answers are stored.
        func callAndDie() async throws {
            let now = harness.clock.now()
            let due = try await harness.store.read { db in
                try IntentTable.due(at: now, limit: 10, excluding: [], in: db)
            }
            for item in due { _ = await gateway.call(item.call) }
            try await crash()
        }

        try await harness.authorize()
        try await isHere(.authorizeStored)
        if point == .authorizeCalled { try await callAndDie() }
        try await harness.pass(.seconds(5))
        try await isHere(.authorizeSettled)
        try await harness.capture()
        try await isHere(.captureStored)
        if point == .captureCalled { try await callAndDie() }
        try await harness.pass(.seconds(5))
        try await isHere(.captureSettled)
        #expect(try await harness.phase() == "captured")
        try await harness.cancel()
        try await isHere(.cancelStored)
        if point == .refundCalled { try await callAndDie() }
        try await harness.pass(.seconds(5))

        #expect(try await harness.phase() == "cancelled")
        #expect(try await harness.replies() == ["authorized", "captured", "cancelled"])
        #expect(try await harness.events() == ["authorized", "captured", "refunded", "cancelled"])
        #expect(gateway.count(.authorize, orderID(1).text) == 1)
        #expect(gateway.captures(of: orderID(1).text) == 1)
        #expect(gateway.refunds(of: orderID(1).text) == 1)
        #expect(try await harness.violations() == [])
        await harness.store.close()
    }

    @Test func aRecoveredCallIsLookedUpBeforeItIsRepeated() async throws {
        let database = try TemporaryDatabase()
        let gateway = ScriptedGateway()
        let first = try Harness(gateway: gateway, path: database.path)
        try await first.authorize()
        await first.store.close()
        let second = try Harness(gateway: gateway, path: database.path)
        #expect(try await second.runner.recover() == 1)
        #expect(try await second.intents() == ["authorize unknown"])
        try await second.runner.performDue()
        #expect(gateway.lookUps == 1)
        #expect(gateway.calls == 1)
        #expect(try await second.replies() == ["authorized"])
        await second.store.close()
    }
}
