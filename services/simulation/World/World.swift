import CardGateway
import Commerce
import DurableStore
import Messaging
import OrderCore
import PaymentService
import Simulation
import Webhooks

/// The whole system in one place: five services with their real handlers over real SQLite, two brokers, the card gateway, two
/// subscribers and a crowd of customers in memory, and one seed that decides everything.
///
/// One task drives it: ``step()`` lists what could happen now, picks one and waits until it is over. So only one operation is
/// under way at a time and ordinary asynchronous code is deterministic; interleaving within an operation comes from faults that
/// strike inside it, and from steps that run while the gateway or a subscriber is being called.
///
/// ```
/// faults ──all orders placed, steps used up──► healed ──nothing left to do──► over
/// ```
///
/// `@unchecked Sendable`: ports and hooks hold it; all of them are called from that one task.
final class World: @unchecked Sendable {
    enum Phase: String {
        case faults, healed
    }

    /// Something that must not be.
    struct Violation: Sendable, Hashable {
        /// The invariant.
        let id: String
        /// What was seen.
        let what: String
    }

    let seed: UInt64
    /// Drawn from the seed; a test may lay down another one.
    var plan: FaultPlan
    let orderCount: Int
    /// Only these of the orders are placed, when a failing run is being shortened.
    let limitedTo: Set<Int>?
    let keepsTrace: Bool
    var random: SeededRandom
    let time = SimulatedTime(Timestamp(millisecondsSinceEpoch: 1_767_225_600_000))
    var phase = Phase.faults
    var healedAt: Timestamp?

    var nodes: [Node] = []
    var broker = SimulatedBroker(inboxes: [Channels.orderInbox, Channels.paymentInbox, Channels.inventoryInbox])
    var log = SimulatedLog(topics: Channels.allTopics, partitions: Channels.partitionsPerTopic)
    var gateway = SimulatedGateway()
    var customers: Customers
    var subscribers = Subscribers()
    var messages = MessageRecords()
    var reading = LogReading()
    let callbackVerifier: CallbackVerifier
    let callbackSigner: CallbackSigner

    /// Until when the broker, the log, the gateway, and the connections of a node are away.
    var brokerAwayUntil: Timestamp?
    var logAwayUntil: Timestamp?
    var gatewayAwayUntil: Timestamp?
    var blockedUntil: [ServiceName: Timestamp] = [:]
    var deletedQueues: [String: Timestamp] = [:]

    var hash = TraceHash()
    var steps = 0
    var trace: [String] = []
    var reached: [Situation: Int] = [:]
    var faults: [FaultKind: Int] = [:]
    var violations: [Violation] = []
    /// Checks for which the world has no evidence.
    var unexamined: [String] = []
    /// Steps run while something is being called do not call anything themselves.
    var isOverlapping = false

    static let timing = OrderTiming.standard
    static let senderOptions: SenderOptions = {
        var options = SenderOptions()
        if let schedule = RetrySchedule(delays: [500, 2000, 5000, 15_000, 30_000]) { options.schedule = schedule }
        options.breaker.firstPause = .seconds(2)
        return options
    }()
    private static let callbackSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

    /// Makes a world in which nothing has happened.
    ///
    /// - Parameters:
    ///   - without: fault kinds of the plan that are left out.
    ///   - limitedTo: the orders that are placed; `nil` for all.
    init(
        seed: UInt64,
        orders: Int,
        without: Set<FaultKind> = [],
        limitedTo: Set<Int>? = nil,
        keepsTrace: Bool = false
    ) throws {
        guard let verifier = CallbackVerifier(secret: Self.callbackSecret),
            let signer = CallbackSigner(secret: Self.callbackSecret)
        else { throw SimulationFault("The secret of the callbacks is not one.") }
        self.seed = seed
        orderCount = orders
        self.limitedTo = limitedTo
        self.keepsTrace = keepsTrace
        var root = SeededRandom(seed: seed)
        var planned = root.fork()
        plan = FaultPlan(random: &planned).without(without)
        customers = Customers(random: root.fork(), count: orders)
        random = root.fork()
        callbackVerifier = verifier
        callbackSigner = signer
        nodes = try ServiceName.allCases.map { try Node($0, time: time) }
    }

    /// The node of a service.
    func node(_ name: ServiceName) -> Node {
        nodes[ServiceName.allCases.firstIndex(of: name) ?? 0]
    }

    /// Whether a fault strikes now; if so, it counts.
    func hit(_ kind: FaultKind) -> Bool {
        guard strikes(kind) else { return false }
        count(kind)
        return true
    }

    /// Whether a fault is to strike, without counting it: for those that may come to nothing. Draws only for kinds of the
    /// plan, so that a plan without a kind is a run of its own.
    func strikes(_ kind: FaultKind) -> Bool {
        guard phase == .faults, let rate = plan.rate(of: kind) else { return false }
        return random.below(10_000) < rate
    }

    /// Counts a fault that has struck.
    func count(_ kind: FaultKind) {
        faults[kind, default: 0] += 1
        if keepsTrace { note("fault \(kind.rawValue)") }
    }

    /// Notes that a situation has come up.
    func reach(_ situation: Situation) { reached[situation, default: 0] += 1 }

    /// Notes something that must not be; the first twenty are kept.
    func violate(_ id: String, _ what: String) {
        note("VIOLATION \(id): \(what)")
        if violations.count < 20 { violations.append(Violation(id: id, what: what)) }
    }

    /// Takes a line into the hash, and into the trace where one is kept.
    func note(_ line: @autoclosure () -> String) {
        let line = line()
        hash.add(line)
        hash.add(UInt64(bitPattern: time.now.millisecondsSinceEpoch))
        guard keepsTrace else { return }
        let elapsed = time.now.milliseconds(since: Timestamp(millisecondsSinceEpoch: 1_767_225_600_000))
        trace.append("\(elapsed) ms  \(line)")
        if trace.count > 20_000 { trace.removeFirst(5000) }
    }
}
