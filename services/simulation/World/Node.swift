import AnalyticsService
import Commerce
import DurableStore
import Foundation
import InventoryService
import Messaging
import NotificationService
import OrderService
import PaymentService
import Simulation
import Synchronization
import Telemetry
import Webhooks

/// One machine: a disk, a clock, and the process that runs on it now.
///
/// ```
/// down(until) ──start──► running ──killed, crashed──► down(until)
///                          └──frozen(until)──► killed by the supervisor; the standby starts at once
/// ```
///
/// `@unchecked`: owned by its world, and called from the one task that drives it.
final class Node: @unchecked Sendable {
    let name: ServiceName
    let disk: SimulatedDisk
    let clock: SimulatedClock
    /// The process; `nil` while there is none.
    var instance: Instance?
    /// Processes started so far.
    var starts = 0
    var downUntil: Timestamp?
    var frozenUntil: Timestamp?
    /// A death or a full disk that is to happen at a step of the next commit, and counts only then.
    var armed: (kind: FaultKind, step: StoreStep, failure: Failure)?
    /// The disk had no room, and nothing has been committed since.
    var isDiskFull = false
    /// The process is dead and has not been cleared away yet.
    var isDead = false
    /// Whether the outbox may hold rows that nobody has tried to send since.
    var mayHaveRows: [Transport: Bool] = [:]
    /// After a failed attempt: not before.
    var sendNotBefore: [Transport: Timestamp] = [:]
    /// A relay is sending and marking.
    var isFlushing = false
    /// When the next row of a timer is due; recomputed after commits.
    var nextTimer: Timestamp?
    var hasFreshRows = true
    var timersNotBefore: Timestamp?

    init(_ name: ServiceName, time: SimulatedTime) throws {
        self.name = name
        disk = try SimulatedDisk(for: name)
        clock = SimulatedClock(time)
    }

    /// Whether the node can take a step now.
    var isRunning: Bool { instance != nil && frozenUntil == nil && !isDead }
}

/// One process: everything that dies with it.
///
/// `@unchecked`, as its readers: owned by its node, and called from the one task that drives the world.
final class Instance: @unchecked Sendable {
    /// What follows topics.
    final class Reader: @unchecked Sendable {
        let processor: EventProcessor
        let parked: ParkedRecordRunner
        /// Lanes of the log, with the next offset of each.
        var positions: [(lane: Int, next: Int64)]

        init(_ processor: EventProcessor, _ positions: [(lane: Int, next: Int64)]) {
            self.processor = processor
            parked = ParkedRecordRunner(processor)
            self.positions = positions
        }
    }

    let store: DurableStore
    var relays: [Transport: OutboxRelay] = [:]
    var inbox: String?
    var commands: CommandProcessor?
    var drain: DeadLetterDrain?
    var readers: [Reader] = []
    var deadlines: DeadlineRunner?
    var orders: OrderParts?
    var intents: IntentRunner?
    var gate: GatewayGate?
    var callbacks: CallbackRoutes?
    var webhooks: WebhookDispatcher?
    /// Deliveries that are with this process and wait for their turn.
    var prefetched: [SimulatedBroker.Stored] = []

    init(_ store: DurableStore) { self.store = store }
}

/// A stream of random bits that several closures share.
///
/// `@unchecked`: owned by its world, and called from the one task that drives it.
final class SharedRandom: @unchecked Sendable {
    private var stream: SeededRandom

    init(_ stream: SeededRandom) { self.stream = stream }

    func next() -> UInt64 { stream.next() }
}

/// A handler that fails now and then, before the real one does anything.
struct UnreliableHandler: MessageHandler {
    let inner: any MessageHandler
    let failsNow: @Sendable () -> Bool

    var consumer: String { inner.consumer }

    func handle(_ envelope: Envelope, in transaction: Transaction) throws {
        // Not on the last attempts: a message that never had a fair chance would be a dead letter without deserving it.
        if envelope.attempt <= 3, failsNow() {
            throw Failure.simulated
        }
        try inner.handle(envelope, in: transaction)
    }
}

extension Failure {
    /// A handler that the simulation makes fail.
    static let simulated = Failure(.retryable, code: "simulated", "The simulation makes the handler fail.")
    /// The death of a simulated process.
    static let simulatedDeath = Failure(.fatal, code: "simulated-death", "The simulation ends the process here.")
    /// A simulated disk without room.
    static let simulatedFullDisk = Failure(.retryable, code: "store-full", "The simulation leaves no room on the disk.")
}

extension World {
    /// Starts the process of a node on its disk, as the service's composition does.
    func start(_ node: Node) async {
        node.starts += 1
        node.downUntil = nil
        node.frozenUntil = nil
        node.isDead = false
        node.hasFreshRows = true
        node.mayHaveRows = [.amqp: true, .kafka: true]
        node.sendNotBefore = [:]
        node.timersNotBefore = nil
        let bits = SharedRandom(random.fork())
        let random: @Sendable () -> UInt64 = { bits.next() }
        let number = node.starts
        let store = node.disk.open(
            onStep: { [unowned self, unowned node] step in try self.storeReached(step, node: node, start: number) },
            onHandover: { [unowned node] transports in
                guard node.starts == number else { return }
                for transport in transports { node.mayHaveRows[transport] = true }
            },
            clock: node.clock,
            ids: UUIDv7Generator(random: random),
            random: random
        )
        let instance = Instance(store)
        node.instance = instance
        if strikes(.crashWhileStarting) {
            let step = self.random.pick(StoreStep.allCases) ?? .beforeCommit
            node.armed = (.crashWhileStarting, step, .simulatedDeath)
        }
        do {
            _ = try await store.beginEpoch()
            try await assemble(instance, node)
            note("\(node.name) starts")
        } catch {
            reach(.diedWhileStarting)
            storeFailed(node, error)
            node.isDead = true
        }
        node.armed = nil
        await clearAway(node)
    }

    private func assemble(_ instance: Instance, _ node: Node) async throws {
        let store = instance.store
        switch node.name {
        case .order:
            let parts = OrderParts(store: store, timing: Self.timing, registry: PrometheusRegistry())
            try await parts.prepare()
            instance.orders = parts
            addInbox(parts.inbox, instance, node)
            try await addReader(parts.catalog, topics: EventReader.catalogReplica.topics, instance, node)
            addDeadlines(instance, parts.deadlines.passed)
        case .inventory:
            let handler = ReservationHandler()
            addInbox(handler, instance, node)
            addDeadlines(instance) { name, subject, tx in
                if name == ReservationHandler.expiryDeadline { try handler.expire(subject, in: tx) }
            }
        case .payment:
            let gate = GatewayGate(clock: node.clock)
            let observer = PaymentWatch(world: self)
            let runner = IntentRunner(
                store: store,
                gateway: GatewayPort(world: self),
                gate: gate,
                clock: node.clock,
                observer: observer
            )
            try await runner.recover()
            instance.intents = runner
            instance.gate = gate
            addInbox(PaymentCommandHandler {}, instance, node)
            instance.callbacks = CallbackRoutes(
                callbacks: GatewayCallbacks(store: store) {},
                verifier: callbackVerifier,
                clock: node.clock,
                observer: observer
            )
        case .notification:
            let dispatcher = WebhookDispatcher(
                store: store,
                sender: SubscriberPort(world: self),
                options: Self.senderOptions,
                clock: node.clock,
                observer: WebhookWatch(world: self)
            )
            try await dispatcher.recover()
            instance.webhooks = dispatcher
            let handler = EventForwarder(fanout: WebhookFanout {})
            try await addReader(handler, topics: EventReader.forwarder.topics, instance, node)
        case .analytics:
            try await addReader(ReadModelHandler(), topics: EventReader.readModels.topics, instance, node)
        }
    }

    private func addInbox(_ handler: any MessageHandler, _ instance: Instance, _ node: Node) {
        let name = handler.consumer
        instance.inbox = name
        let unreliable = UnreliableHandler(inner: handler) { [unowned self] in self.hit(.handlerFails) }
        instance.commands = CommandProcessor(store: instance.store, inbox: name, handler: unreliable) {
            [unowned self] observation in
            self.processed(observation)
        }
        instance.drain = DeadLetterDrain(store: instance.store, inbox: name) { [unowned self] letter in
            self.drained(letter)
        }
        for transport in Transport.allCases {
            instance.relays[transport] = OutboxRelay(
                store: instance.store,
                transport: transport,
                publisher: PublisherPort(world: self, node: node, transport: transport)
            )
        }
    }

    /// Deadlines that fail now and then, before they have done anything: their rows stay, and they are tried again.
    private func addDeadlines(
        _ instance: Instance,
        _ handler: @escaping @Sendable (_ name: String, _ subject: String, Transaction) throws -> Void
    ) {
        instance.deadlines = DeadlineRunner(store: instance.store) { [unowned self] name, subject, tx in
            if self.hit(.deadlineFails) { throw Failure.simulated }
            try handler(name, subject, tx)
        }
    }

    private func addReader(
        _ handler: any MessageHandler,
        topics: [String],
        _ instance: Instance,
        _ node: Node
    ) async throws {
        let known = try await EventProcessor.startOffsets(consumer: handler.consumer, in: instance.store)
        let positions = topics.flatMap { log.lanes(of: $0) }.map { lane in
            let place = log.place(of: lane)
            let offset = known.first { $0.topic == place.topic && $0.partition == place.partition }?.offset
            return (lane: lane, next: offset ?? 0)
        }
        let processor = EventProcessor(
            store: instance.store,
            consumer: handler.consumer,
            handler: UnreliableHandler(inner: handler) { [unowned self] in self.hit(.eventHandlerFails) }
        ) { [unowned self] observation in self.processed(observation) }
        instance.readers.append(Instance.Reader(processor, positions))
    }

    /// Called at every step of every commit.
    private func storeReached(_ step: StoreStep, node: Node, start: Int) throws {
        if step == .afterCommit {
            // A relay's marks do not change when a timer is due.
            if !node.isFlushing { node.hasFreshRows = true }
            // Whoever commits must be the one process that owns the disk.
            if start != node.starts { violate("X4", "\(node.name): a process that was replaced has committed") }
            if node.isDiskFull { reach(.diskWasFull) }
            node.isDiskFull = false
        }
        guard let armed = node.armed, armed.step == step, start == node.starts else { return }
        node.armed = nil
        count(armed.kind)
        note("\(node.name): \(armed.failure.code) at \(step.rawValue)")
        if armed.failure.failureClass == .fatal {
            node.isDead = true
            switch step {
            case .afterCommit: reach(.diedAfterCommit)
            case .beforeBegin, .afterUnit, .beforeCommit: reach(.diedBeforeCommit)
            }
        } else {
            node.isDiskFull = true
        }
        throw armed.failure
    }

    /// The process of a node dies now. What it is in the middle of ends with failures; it is cleared away after the step.
    func kill(_ node: Node) {
        guard let instance = node.instance else { return }
        instance.store.abandon(.simulatedDeath)
        node.isDead = true
    }

    /// Buries a dead process: its connections are gone, and a standby or a restart comes after a while.
    func clearAway(_ node: Node) async {
        guard node.isDead else { return }
        node.isDead = false
        node.armed = nil
        node.isFlushing = false
        node.instance?.store.abandon(.simulatedDeath)
        if let inbox = node.instance?.inbox {
            broker.connectionLost(inbox)
            broker.connectionLost(inbox + ".dead")
        }
        node.instance = nil
        node.frozenUntil = nil
        node.downUntil = time.now.advanced(byMilliseconds: Int64(random.within(20...3000)))
        note("\(node.name) is dead")
    }
}
