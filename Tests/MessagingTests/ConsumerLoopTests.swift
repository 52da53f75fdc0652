import KitTestSupport
import Messaging
import Synchronization
import Testing

/// Hands out batches, then ends or waits for cancellation.
private final class Batches: Subscription {
    private let state: Mutex<(batches: [[String]], settled: [(String, Settlement)])>
    private let endsWhenEmpty: Bool
    let isEnding: Bool

    init(_ batches: [[String]], endsWhenEmpty: Bool = true, isEnding: Bool = false) {
        state = Mutex((batches, []))
        self.endsWhenEmpty = endsWhenEmpty
        self.isEnding = isEnding
    }

    var settled: [String] { state.withLock { $0.settled.map { "\($0.0):\($0.1)" } } }
    var remaining: Int { state.withLock { $0.batches.count } }

    func next(limit: Int) async throws -> [(receipt: String, message: ReceivedMessage)] {
        let batch = state.withLock { $0.batches.isEmpty ? nil : $0.batches.removeFirst() }
        guard let batch else {
            if endsWhenEmpty { return [] }
            try await Task.sleep(for: .seconds(600))
            return []
        }
        return batch.prefix(limit).map { ($0, ReceivedMessage(source: .queue("q"), headers: [("n", $0)], body: [])) }
    }

    func settle(_ settlements: [(receipt: String, settlement: Settlement)]) async {
        state.withLock { state in state.settled += settlements.map { ($0.receipt, $0.settlement) } }
    }
}

private struct Verdicts: MessageProcessor {
    let decide: @Sendable (String) -> Verdict
    func process(_ batch: [ReceivedMessage]) async -> [Verdict] { batch.map { decide($0.headers[0].value) } }
}

/// Waits for nothing when the end is near, and for ever otherwise: so it says what it was told.
private struct Patient: MessageProcessor {
    func process(_ batch: [ReceivedMessage]) async -> [Verdict] { await process(batch, until: { false }) }

    func process(_ batch: [ReceivedMessage], until isEnding: @Sendable () -> Bool) async -> [Verdict] {
        batch.map { _ in
            isEnding() ? .giveBack(Failure(.interrupted, code: "ending", "It ends.")) : .acknowledge
        }
    }
}

@Suite struct ConsumerLoopTests {
    private static let fatal = Failure(.fatal, code: "broken", "Broken.")

    private static let decide: @Sendable (String) -> Verdict = { name in
        switch name.first {
        case "g": .giveBack(Failure(.interrupted, code: "stop", "Stop."))
        case "f": .stop(fatal)
        default: .acknowledge
        }
    }

    @Test func settlesEachMessageByItsVerdict() async throws {
        let batches = Batches([["a", "g1"], ["b"]])
        let observed = Mutex<[Int]>([])
        let loop = ConsumerLoop(subscription: batches, processor: Verdicts(decide: Self.decide), batchLimit: 10) {
            seen in
            observed.withLock { $0.append(seen.verdicts.count) }
        }
        try await loop.run()
        #expect(batches.settled == ["a:acknowledge", "g1:giveBack", "b:acknowledge"])
        #expect(observed.withLock { $0 } == [2, 1])
    }

    @Test func aFatalFailureLeavesItsMessageUnsettledAndEndsTheLoop() async {
        let batches = Batches([["a", "f1", "b"], ["never"]])
        let loop = ConsumerLoop(subscription: batches, processor: Verdicts(decide: Self.decide))
        let failure = await #expect(throws: Failure.self) { try await loop.run() }
        #expect(failure == Self.fatal)
        #expect(batches.settled == ["a:acknowledge", "b:acknowledge"])
        #expect(batches.remaining == 1)
    }

    @Test(arguments: [false, true]) func aProcessorLearnsThatItsSubscriptionEnds(isEnding: Bool) async throws {
        let batches = Batches([["a"]], isEnding: isEnding)
        try await ConsumerLoop(subscription: batches, processor: Patient()).run()
        #expect(batches.settled == [isEnding ? "a:giveBack" : "a:acknowledge"])
    }

    @Test func cancellationEndsTheLoopQuietly() async throws {
        let batches = Batches([["a"]], endsWhenEmpty: false)
        let loop = ConsumerLoop(subscription: batches, processor: Verdicts(decide: Self.decide))
        let task = Task { try await loop.run() }
        #expect(await eventually { batches.settled.count == 1 })
        task.cancel()
        try await task.value
    }

    @Test func theBatchLimitIsClamped() async throws {
        let batches = Batches([["a", "b"], ["c"]])
        let loop = ConsumerLoop(subscription: batches, processor: Verdicts(decide: Self.decide), batchLimit: -3)
        try await loop.run()
        #expect(batches.settled == ["a:acknowledge", "c:acknowledge"])
    }
}
