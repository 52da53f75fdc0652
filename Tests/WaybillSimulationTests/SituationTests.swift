import DurableStore
import Messaging
import Testing

@testable import WaybillSimulation

@Suite("Simulation: a situation is reached when it has come up, and a fault counts when it has struck")
struct SituationTests {
    private static let always = 10_000

    private let world: World
    private var node: Node { world.node(.order) }

    /// Faults are laid down by each test; until then there are none.
    init() throws {
        world = try World(seed: 1, orders: 1)
        world.plan = FaultPlan(rates: [:])
    }

    private func message(for transport: Transport, attempt: Int = 1) -> OutgoingMessage {
        OutgoingMessage(
            to: transport == .amqp ? .inbox("order.inbox") : .topic("orders"),
            Envelope(
                id: "1",
                source: "/test",
                type: "nobody.knows.v1",
                subject: "a",
                time: Timestamp(millisecondsSinceEpoch: 0),
                correlationID: "a",
                attempt: attempt,
                body: [1]
            )
        )
    }

    /// Sends a message as the node's relay would, while faults of these kinds strike every time; whether it is confirmed.
    private func publish(_ message: OutgoingMessage, under kinds: FaultKind...) async -> Bool {
        layDown(kinds)
        let port = PublisherPort(world: world, node: node, transport: message.destination.transport)
        return await port.publish([message]) == [.confirmed]
    }

    private func layDown(_ kinds: [FaultKind]) {
        world.plan = FaultPlan(rates: Dictionary(uniqueKeysWithValues: kinds.map { ($0, Self.always) }))
    }

    /// Starts the node's process, a new one if the last has died.
    private func startAgain() async {
        layDown([])
        await world.clearAway(node)
        await world.start(node)
    }

    private func times(_ situation: Situation) -> Int { world.reached[situation] ?? 0 }

    @Test("what was refused before its relay died is sent for the first time afterwards", arguments: Transport.allCases)
    func refusedBeforeDeath(transport: Transport) async throws {
        await startAgain()
        let message = message(for: transport)
        let first = await publish(message, under: .publishRefused, .appendRefused, .crashAfterPublish)
        #expect(!first && node.isDead)
        await startAgain()
        let second = await publish(message)
        #expect(second)
        #expect(times(.diedAfterPublish) == 0)
        #expect(times(.publishedAgain) == 0)
        #expect(times(.appendRepeated) == 0)
    }

    @Test("what came through before its relay died is published again by the next", arguments: Transport.allCases)
    func cameThroughBeforeDeath(transport: Transport) async throws {
        await startAgain()
        let message = message(for: transport)
        let first = await publish(message, under: .crashAfterPublish)
        #expect(first && node.isDead)
        #expect(times(.diedAfterPublish) == 0)
        await startAgain()
        let second = await publish(message)
        #expect(second)
        #expect(times(.diedAfterPublish) == 1)
        #expect(times(.publishedAgain) == 0)
        #expect(times(.appendRepeated) == (transport == .kafka ? 1 : 0))
    }

    @Test("a retry is another message than the one whose confirm was lost", arguments: Transport.allCases)
    func confirmLost(transport: Transport) async throws {
        let situation: Situation = transport == .amqp ? .publishedAgain : .appendRepeated
        let first = await publish(message(for: transport), under: .confirmLost, .appendConfirmLost)
        let retry = await publish(message(for: transport, attempt: 2))
        #expect(!first && retry)
        #expect(times(situation) == 0)
        let second = await publish(message(for: transport))
        #expect(second)
        #expect(times(situation) == 1)
        #expect(times(.diedAfterPublish) == 0)
    }

    @Test("a process that dies while it gives everything back does not die between effect and acknowledgement")
    func diedBeforeAcknowledgement() async throws {
        await startAgain()
        let isThere = await publish(message(for: .amqp))
        #expect(isThere)
        layDown([.diskFull, .crashBeforeAcknowledgement])
        await world.deliver(node)
        #expect(node.isDead)
        #expect(world.faults[.diskFull] == 1)
        #expect(times(.diedBeforeAcknowledgement) == 0)
        await startAgain()
        layDown([.crashBeforeAcknowledgement])
        await world.deliver(node)
        #expect(times(.diedBeforeAcknowledgement) == 1)
    }

    @Test("an armed fault counts when it strikes, and a full disk has room again with the next commit")
    func diskFull() async throws {
        await startAgain()
        let store = try #require(node.instance?.store)
        layDown([.crashBeforeBegin, .crashAfterCommit, .diskFull])
        world.arm(node)
        #expect(world.faults.isEmpty)
        await #expect(throws: Failure.self) { try await store.write { _ in } }
        #expect(world.faults[.diskFull] == 1)
        #expect(world.faults.count == 1)
        #expect(times(.diskWasFull) == 0)
        try await store.write { _ in }
        #expect(times(.diskWasFull) == 1)
    }

    @Test("all processes die at once only when all of them run")
    func allDied() async throws {
        await startAgain()
        layDown([.killAll])
        await world.mishaps()
        #expect(times(.allDied) == 0)
        layDown([])
        for node in world.nodes { await world.start(node) }
        layDown([.killAll])
        await world.mishaps()
        #expect(times(.allDied) == 1)
        #expect(world.nodes.allSatisfy { $0.instance == nil })
    }

    @Test("only connections that carry something are blocked")
    func connectionBlocked() async throws {
        layDown([.connectionBlocked])
        for _ in 0..<30 { await world.mishaps() }
        let senders: Set<ServiceName> = [.order, .payment, .inventory]
        #expect(Set(world.blockedUntil.keys) == senders)
    }

    @Test("an inbox that was wiped does not excuse the dead letters of another")
    func wipedInbox() throws {
        world.messages.poison = [(inbox: "order.inbox", body: [1]), (inbox: "payment.inbox", body: [2])]
        world.messages.wiped = ["order.inbox"]
        world.checkDeadLetters()
        #expect(world.violations.count == 1)
        #expect(world.violations.first?.what.hasPrefix("payment.inbox: ") == true)
    }
}
