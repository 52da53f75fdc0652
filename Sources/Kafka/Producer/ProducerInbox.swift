import Synchronization

/// Where callers and the producer's thread meet. Everything here happens under one lock, briefly.
///
/// ```
/// idle ──run()──► running ──shutdown()──► draining ──flushed or too late──► closed
///  │                 └───────────────librdkafka refuses──────────────────► closed(error)
///  └──shutdown()─────────────────────────────────────────────────────────► closed
/// ```
///
/// Calls are taken while idle (they wait for the start) and running. `waiting` has no limit of its own: each entry is a suspended caller
/// with its own records, which is the back-pressure.
struct ProducerInbox {
    enum Phase {
        case idle
        case running
        case draining
        case closed(KafkaError?)
    }

    enum SubmitAction {
        case wait
        case refuse(KafkaPublishResult)
    }

    enum CancelAction {
        case none
        case giveUp(Submission)
    }

    enum ShutdownAction {
        case none
        /// Never started: these callers are answered, and waiters for the end are let go.
        case close([Submission], [CheckedContinuation<KafkaError?, Never>])
    }

    struct Intake {
        var arrived: [Submission]
        var cancelled: [UInt64]
        var isDraining: Bool
    }

    private(set) var phase = Phase.idle
    private var waiting: [Submission] = []
    private var cancelled: [UInt64] = []
    private var closedWaiters: [CheckedContinuation<KafkaError?, Never>] = []
    /// The live handle, to wake the thread in its poll. Only used under the lock, so it cannot be freed meanwhile.
    var client: RDKafkaClient?
    var metrics = KafkaProducerMetrics()
    private var nextID: UInt64 = 0

    mutating func newID() -> UInt64 {
        nextID += 1
        return nextID
    }

    mutating func start() -> KafkaError? {
        switch phase {
        case .idle:
            phase = .running
            return nil
        case .running, .draining: return KafkaError(.alreadyRunning)
        case .closed: return KafkaError(.closed)
        }
    }

    mutating func submit(_ submission: Submission) -> SubmitAction {
        switch phase {
        case .idle, .running:
            let wasQuiet = waiting.isEmpty && cancelled.isEmpty
            waiting.append(submission)
            if wasQuiet { client?.wakeMain() }
            return .wait
        case .draining: return .refuse(.notPersisted(.closed))
        case .closed(let error): return .refuse(error.map { .fatal($0.code) } ?? .notPersisted(.closed))
        }
    }

    mutating func cancel(_ id: UInt64) -> CancelAction {
        switch phase {
        case .idle:
            guard let index = waiting.firstIndex(where: { $0.id == id }) else { return .none }
            return .giveUp(waiting.remove(at: index))
        case .running, .draining:
            cancelled.append(id)
            client?.wakeMain()
            return .none
        case .closed: return .none
        }
    }

    mutating func shutdown() -> ShutdownAction {
        switch phase {
        case .idle:
            phase = .closed(nil)
            defer {
                waiting.removeAll()
                closedWaiters.removeAll()
            }
            return .close(waiting, closedWaiters)
        case .running:
            phase = .draining
            client?.wakeMain()
            return .none
        case .draining, .closed: return .none
        }
    }

    /// What has come since the last time. The producer's thread only.
    mutating func take() -> Intake {
        defer {
            waiting.removeAll()
            cancelled.removeAll()
        }
        let isDraining = if case .draining = phase { true } else { false }
        return Intake(arrived: waiting, cancelled: cancelled, isDraining: isDraining)
    }

    /// The thread ends.
    mutating func close(_ error: KafkaError?) -> ([Submission], [CheckedContinuation<KafkaError?, Never>]) {
        phase = .closed(error)
        client = nil
        defer {
            waiting.removeAll()
            cancelled.removeAll()
            closedWaiters.removeAll()
        }
        return (waiting, closedWaiters)
    }

    /// Remembers who waits for the end; answers at once if it has come.
    mutating func awaitClose(_ continuation: CheckedContinuation<KafkaError?, Never>) -> KafkaError?? {
        if case .closed(let error) = phase { return .some(error) }
        closedWaiters.append(continuation)
        return nil
    }
}

/// Counters of a producer, as of its last turn.
public struct KafkaProducerMetrics: Sendable, Hashable {
    /// Records handed to the C library and not yet settled.
    public var inFlightMessages = 0
    /// Their bytes, framing estimated.
    public var inFlightBytes = 0
    /// Calls of `publish` with records that wait for room.
    public var waitingCalls = 0
    /// How often a fatal fault made the producer replace its handle.
    public var recreations = 0

    /// All zero.
    public init() {}
}
