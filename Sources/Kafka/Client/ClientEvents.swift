import Logging
import Synchronization

/// What all clients do with the events that are no call's result: log lines, faults, statistics, the broker's state.
///
/// Called on a client's own thread (`handle`, `answered`) and from anywhere (`state`, `states`).
final class ClientEvents: Sendable {
    let clientID: String
    let logger: Logger
    private let observer: (any KafkaObserver)?
    private let shared = Mutex(Shared())

    private struct Shared {
        var tracker = BrokerStateTracker()
        var listeners: [Int: AsyncStream<KafkaBrokerState>.Continuation] = [:]
        var nextListener = 0
        var isFinished = false
    }

    init(clientID: String, logger: Logger, observer: (any KafkaObserver)?) {
        self.clientID = clientID
        self.logger = logger.forKafkaClient(clientID)
        self.observer = observer
    }

    /// syslog level up to which the library should write, after the logger's own level.
    var libraryLogLevel: Int {
        switch logger.logLevel {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    // MARK: broker state

    var state: KafkaBrokerState { shared.withLock { $0.tracker.state } }

    /// The state now and each later one; a slow listener sees only the newest.
    func states() -> AsyncStream<KafkaBrokerState> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { listener in
            let number: Int? = shared.withLock { shared in
                listener.yield(shared.tracker.state)
                guard !shared.isFinished else { return nil }
                shared.nextListener += 1
                shared.listeners[shared.nextListener] = listener
                return shared.nextListener
            }
            guard let number else { return listener.finish() }
            listener.onTermination = { [weak self] _ in
                _ = self?.shared.withLock { $0.listeners.removeValue(forKey: number) }
            }
        }
    }

    /// The client is gone: state streams end.
    func finish() {
        let listeners = shared.withLock { shared in
            shared.isFinished = true
            defer { shared.listeners.removeAll() }
            return Array(shared.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }

    /// A broker has answered something.
    func answered() { change { $0.answered() } }

    private func change(_ input: (inout BrokerStateTracker) -> KafkaBrokerState?) {
        let changed: KafkaBrokerState? = shared.withLock { shared in
            guard let state = input(&shared.tracker) else { return nil }
            for listener in shared.listeners.values { listener.yield(state) }
            return state
        }
        guard let changed else { return }
        logger.info("Kafka broker state changed", metadata: [KafkaLogKey.state: .string(changed.rawValue)])
        observer?.brokerStateChanged(changed, client: clientID)
    }

    // MARK: events

    /// Deals with everything but delivery reports and commit results.
    func handle(_ event: MainEvent) {
        switch event {
        case .log(let level, let facility, let text): log(level: level, facility: facility, text: text)
        case .error(let error): handle(error)
        case .statistics(let json):
            guard let statistics = KafkaStatistics(json: json) else { return }
            let connected = statistics.connectedBrokers
            change { $0.snapshot(connectedBrokers: connected) }
            observer?.statistics(statistics)
        case .deliveries, .offsetsCommitted, .other: break
        }
    }

    /// A fault that is no call's result.
    func handle(_ error: KafkaError) {
        if error.code == .allBrokersDown { change { $0.allBrokersDown() } }
        // The library logs connection faults itself; here they are only worth a line for debugging.
        logger.log(
            level: error.isFatal ? .error : .debug,
            "Kafka client fault",
            metadata: [
                KafkaLogKey.code: .string(error.code.description), KafkaLogKey.sentence: .string(error.sentence),
            ]
        )
        observer?.clientError(error, client: clientID)
    }

    func producerRecreated(reason: KafkaError) {
        observer?.producerRecreated(reason: reason, client: clientID)
    }

    private func log(level: Int, facility: String, text: String) {
        // Lost connections are the network's faults, not ours: the library calls them errors, here they are warnings.
        let isConnection = facility == "FAIL" || facility == "ERROR"
        let level: Logger.Level =
            switch level {
            case ...2: .critical
            case 3: isConnection ? .warning : .error
            case 4: .warning
            case 5: .notice
            case 6: .info
            default: .debug
            }
        logger.log(
            level: level,
            "librdkafka",
            metadata: [KafkaLogKey.facility: .string(facility), KafkaLogKey.detail: .string(text)]
        )
    }
}
