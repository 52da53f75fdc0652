import StrictJSON
import Testing

@testable import Chaos

/// The queue that overhears an inbox or stands in for it, on a broker that fails where it is told to.
struct MessageTapTests {
    private func tap(_ broker: FakeBroker) -> MessageTap {
        MessageTap(broker, inbox: FakeBroker.inbox, fault: 1, pause: .zero)
    }

    /// The regression: the originals had been delivered in order, so that the inbox absorbed what came shuffled.
    @Test("What is held arrives in another order, and only then")
    func reorders() async throws {
        let broker = FakeBroker()
        let tap = tap(broker)
        try await tap.hold()
        let before = await broker.received.count
        for _ in 0..<20 { await broker.send() }
        #expect(await broker.received.count == before)
        var random = ChaosRandom(seed: 1)
        let held = try await tap.release(&random)
        #expect(held.count >= 20)
        // What was sent while both were bound is in the inbox once more, before the rest.
        let known = Set(held)
        let arrived = await Array(broker.received.dropFirst(before).filter { known.contains($0) }.suffix(held.count))
        #expect(Set(arrived) == known)
        #expect(arrived != held)
        #expect(await broker.isInOrder)
    }

    @Test(
        "Whatever call fails, before its effect or with its answer, everything arrives and the tap is gone",
        arguments: 1...40,
        [false, true]
    )
    func losesNothing(failing: Int, hasEffect: Bool) async {
        let broker = FakeBroker(failing: failing, hasEffect: hasEffect)
        let tap = tap(broker)
        do throws(FaultRefusal) {
            try await tap.hold()
            var random = ChaosRandom(seed: UInt64(failing))
            _ = try await tap.release(&random)
        } catch {
            // The call that failed was one of hold(), which has put everything right.
        }
        #expect(await broker.isInOrder)
    }

    @Test("An inbox that its service has bound again meanwhile gets everything, and was not reordered")
    func boundAgain() async throws {
        let broker = FakeBroker()
        let tap = tap(broker)
        try await tap.hold()
        try await broker.bind(FakeBroker.inbox, to: FakeBroker.inbox)
        var random = ChaosRandom(seed: 1)
        var refusal: FaultRefusal?
        do throws(FaultRefusal) {
            _ = try await tap.release(&random)
        } catch {
            refusal = error
        }
        #expect(refusal?.reason == "order.inbox was bound again before its time")
        #expect(await broker.isInOrder)
    }

    @Test(
        "A tap that only listens is taken away whatever call fails",
        arguments: 1...10,
        [false, true]
    )
    func listens(failing: Int, hasEffect: Bool) async {
        let broker = FakeBroker(failing: failing, hasEffect: hasEffect)
        let tap = tap(broker)
        do throws(FaultRefusal) {
            try await tap.listen()
            for _ in 0..<3 { await broker.send() }
            let heard = try await tap.close()
            // The fourth call is the removal.
            #expect(heard.count >= 3 || (failing == 4 && hasEffect))
        } catch {
            // The call that failed was one of listen().
        }
        #expect(await broker.isInOrder)
    }

    @Test("Two messages that differ change their places, whatever the seed", arguments: 1...20)
    func twoChangePlaces(seed: Int) {
        var random = ChaosRandom(seed: UInt64(seed))
        let (first, second) = (FakeBroker.message(1), FakeBroker.message(2))
        let two = MessageTap.reordered([first, second], &random)
        let one = MessageTap.reordered([first], &random)
        let none = MessageTap.reordered([], &random)
        #expect(two == [second, first])
        #expect(one == [first])
        #expect(none.isEmpty)
    }

    /// The regression: what had just been heard was sent as if it were old.
    @Test("An archive that has nothing of an inbox has nothing old for it")
    func emptyArchive() {
        let archive = MessageArchive()
        var random = ChaosRandom(seed: 1)
        let before = archive.old(60, for: FakeBroker.inbox, &random)
        archive.keep([FakeBroker.message(1)])
        let after = archive.old(60, for: FakeBroker.inbox, &random)
        let elsewhere = archive.old(60, for: "payment.inbox", &random)
        #expect(before.isEmpty && elsewhere.isEmpty)
        #expect(after == [FakeBroker.message(1)])
    }
}

/// One inbox behind its exchange. Somebody sends a message to it before each call.
private actor FakeBroker: TapBroker {
    static let inbox = "order.inbox"

    private var queues: [String: [CapturedMessage]] = [FakeBroker.inbox: []]
    private var bound: Set<String> = [FakeBroker.inbox]
    private var sent: [CapturedMessage] = []
    private var isUnroutable = false
    private var calls = 0
    private let failing: Int
    private let hasEffect: Bool

    /// - Parameters:
    ///   - failing: the number of the call that fails, from 1; 0 for none.
    ///   - hasEffect: whether it is only its answer that is lost.
    init(failing: Int = 0, hasEffect: Bool = false) {
        self.failing = failing
        self.hasEffect = hasEffect
    }

    static func message(_ number: Int) -> CapturedMessage {
        CapturedMessage(inbox: inbox, payload: "\(number)", properties: .null)
    }

    var received: [CapturedMessage] { queues[Self.inbox] ?? [] }

    /// Whether every message found a route and is in the inbox, which is bound, and nothing else is there.
    var isInOrder: Bool {
        !isUnroutable && Set(received) == Set(sent) && bound == [Self.inbox] && queues.count == 1
    }

    func send() {
        let message = Self.message(sent.count)
        sent.append(message)
        if bound.isEmpty { isUnroutable = true }
        for queue in bound { queues[queue]?.append(message) }
    }

    private func begin() throws(FaultRefusal) {
        send()
        calls += 1
        if calls == failing, !hasEffect { throw FaultRefusal("the request was lost") }
    }

    private func end() throws(FaultRefusal) {
        if calls == failing { throw FaultRefusal("the answer was lost") }
    }

    func makeTap(_ queue: String, room: Int, refusesWhenFull: Bool) throws(FaultRefusal) {
        try begin()
        if queues[queue] == nil { queues[queue] = [] }
        try end()
    }

    func removeTap(_ queue: String, ifEmpty: Bool) throws(FaultRefusal) {
        try begin()
        if ifEmpty, queues[queue]?.isEmpty == false { throw FaultRefusal("not empty") }
        queues[queue] = nil
        bound.remove(queue)
        try end()
    }

    func isBound(_ queue: String, to inbox: String) throws(FaultRefusal) -> Bool {
        try begin()
        try end()
        return bound.contains(queue)
    }

    func bind(_ queue: String, to inbox: String) throws(FaultRefusal) {
        try begin()
        guard queues[queue] != nil else { throw FaultRefusal("there is no \(queue)") }
        bound.insert(queue)
        try end()
    }

    func unbind(_ queue: String, from inbox: String) throws(FaultRefusal) {
        try begin()
        bound.remove(queue)
        try end()
    }

    func look(_ count: Int, into queue: String) throws(FaultRefusal) -> [CapturedMessage] {
        try begin()
        try end()
        return Array((queues[queue] ?? []).prefix(count))
    }

    func discard(_ count: Int, from queue: String) throws(FaultRefusal) {
        try begin()
        queues[queue] = queues[queue].map { Array($0.dropFirst(count)) }
        try end()
    }

    func publish(_ message: CapturedMessage) throws(FaultRefusal) {
        try begin()
        queues[message.inbox]?.append(message)
        try end()
    }
}
