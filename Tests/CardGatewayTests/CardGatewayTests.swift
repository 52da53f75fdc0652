import Foundation
import KitTestSupport
import Messaging
import Testing

@testable import CardGateway

@Suite struct CardGatewayTests {
    func gateway(
        _ folder: TemporaryFolder,
        callbacks: any CallbackSink = NoCallbacks(),
        _ change: (inout GatewayConfiguration) -> Void = { _ in }
    ) throws -> CardGateway {
        try CardGateway(configuration: configuration(folder, change), clock: SystemClock(), callbacks: callbacks)
    }

    @Test func fiftyParallelRequestsWithOneKeyAreOneOperation() async throws {
        let folder = try TemporaryFolder()
        let gateway = try gateway(folder)
        defer { gateway.close() }
        let answers = await withTaskGroup(of: LedgerEntry?.self) { group in
            for _ in 0..<50 { group.addTask { await gateway.perform(authorize("same")).entry } }
            return await group.reduce(into: Set<LedgerEntry?>()) { $0.insert($1) }
        }
        #expect(answers.count == 1)
        #expect(gateway.statistics.lastSeq == 1)
    }

    @Test func aKeyWithAnotherBodyIsRefused() async throws {
        let folder = try TemporaryFolder()
        let gateway = try gateway(folder)
        defer { gateway.close() }
        _ = await gateway.perform(authorize("k"))
        #expect(await gateway.perform(authorize("k", amount: 1)) == .problem(.keyReused))
        #expect(gateway.statistics.lastSeq == 1)
    }

    @Test func flakyFailsTwicePerKeyAndOperation() async throws {
        let folder = try TemporaryFolder()
        let gateway = try gateway(folder)
        defer { gateway.close() }
        for request in [
            authorize("k1", card: "tok_flaky"), OperationRequest(key: "k2", content: .capture(authorization: "auth_1")),
        ] {
            #expect(await gateway.perform(request) == .problem(.unavailable))
            #expect(try await gateway.operation(forKey: request.key) == nil)
            #expect(await gateway.perform(request) == .problem(.unavailable))
            #expect(await gateway.perform(request).entry?.result == .succeeded)
            #expect(await gateway.perform(request).entry?.result == .succeeded)
        }
        #expect(gateway.statistics.lastSeq == 2)
    }

    @Test(arguments: ["tok_timeout", "tok_garbage"]) func recordsThoughNobodyHears(_ card: String) async throws {
        let folder = try TemporaryFolder()
        let callbacks = RecordingCallbacks()
        let gateway = try gateway(folder, callbacks: callbacks)
        defer { gateway.close() }
        let expected: CardGateway.Answer = card == "tok_timeout" ? .silence : .garbled
        #expect(await gateway.perform(authorize("k1", card: card)) == expected)
        #expect(await gateway.perform(authorize("k1", card: card)) == expected)
        #expect(try await gateway.operation(forKey: "k1")?.result == .succeeded)
        #expect(
            await gateway.perform(OperationRequest(key: "k2", content: .capture(authorization: "auth_1"))) == expected
        )
        #expect(gateway.statistics.lastSeq == 2)
        #expect(callbacks.entries.map(\.key) == ["k1", "k2"])
    }

    @Test func slowIsInProgressUntilItIsDone() async throws {
        let folder = try TemporaryFolder()
        let gateway = try gateway(folder) { $0.slowMilliseconds = 300 }
        defer { gateway.close() }
        async let slow = gateway.perform(authorize("k", card: "tok_slow"))
        #expect(await eventually { gateway.statistics.inProgress == 1 })
        #expect(await gateway.perform(authorize("k", card: "tok_slow")) == .problem(.inProgress))
        #expect(await slow.entry?.result == .succeeded)
        #expect(gateway.statistics.inProgress == 0)
    }

    @Test func aLateCaptureLandsThoughItWasVoided() async throws {
        let folder = try TemporaryFolder()
        let callbacks = RecordingCallbacks()
        let gateway = try gateway(folder, callbacks: callbacks) { $0.lateMilliseconds = 400 }
        let running = Task { try await gateway.run() }
        _ = await gateway.perform(authorize("k1", card: "tok_late"))
        let capture = OperationRequest(key: "k2", content: .capture(authorization: "auth_1"))
        #expect(await gateway.perform(capture) == .silence)
        #expect(try await gateway.operation(forKey: "k2") == nil)
        #expect(await gateway.perform(capture) == .problem(.inProgress))
        let void = await gateway.perform(OperationRequest(key: "k3", content: .void(authorization: "auth_1")))
        #expect(void.entry?.result == .succeeded)
        #expect(await eventually { callbacks.entries.count == 1 })
        #expect(try await gateway.operation(forKey: "k2")?.result == .succeeded)
        gateway.close()
        try await running.value
    }

    @Test func aLateCaptureSurvivesARestartAndLandsOnce() async throws {
        let folder = try TemporaryFolder()
        let first = try gateway(folder) { $0.lateMilliseconds = 60_000 }
        _ = await first.perform(authorize("k1", card: "tok_late"))
        _ = await first.perform(OperationRequest(key: "k2", content: .capture(authorization: "auth_1")))
        first.close()

        let later = ManualClock(SystemClock().now().advanced(byMilliseconds: 61_000))
        let callbacks = RecordingCallbacks()
        let second = try CardGateway(configuration: configuration(folder), clock: later, callbacks: callbacks)
        #expect(second.statistics.inProgress == 1)
        let running = Task { try await second.run() }
        #expect(await eventually { callbacks.entries.map(\.key) == ["k2"] })
        second.close()
        try await running.value

        let third = try gateway(folder)
        #expect(third.statistics.inProgress == 0)
        #expect(try await third.operation(forKey: "k2")?.result == .succeeded)
        #expect(third.statistics.lastSeq == 2)
        third.close()
    }

    @Test func heldConnectionsAreBoundedAndLetGo() async throws {
        let folder = try TemporaryFolder()
        let gateway = try gateway(folder) {
            $0.maximumHeld = 2
            $0.holdMilliseconds = 60_000
        }
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<5 {
                group.addTask { _ = await gateway.perform(authorize("k\(number)", card: "tok_timeout")) }
            }
            // Three are turned away at once; the other two only when everything is let go.
            for _ in 0..<3 { await group.next() }
            #expect(gateway.statistics.held == 2)
            gateway.releaseEverything()
            await group.waitForAll()
        }
        #expect(gateway.statistics.held == 0)
        gateway.close()
    }

    @Test func declinesAreRecordedToo() async throws {
        let folder = try TemporaryFolder()
        let gateway = try gateway(folder)
        defer { gateway.close() }
        for (key, card, reason) in [
            ("k1", "tok_declined", "card-declined"), ("k2", "tok_insufficient_funds", "insufficient-funds"),
            ("k3", "tok_who", "unknown-card"),
        ] {
            let entry = await gateway.perform(authorize(key, card: card)).entry
            #expect(entry?.result == .declined && entry?.reason == reason && entry?.authorization == nil)
        }
    }
}
