import Logging
import NIOCore
import NIOPosix
import Synchronization
import Telemetry

/// What the requests do (``ApiTable`` says which function does what), and the state that all connections share.
///
/// Thread-safe: immutable, or made of thread-safe parts.
final class Broker: Sendable {
    let configuration: EventLogConfiguration
    let store: LogStore
    let groups: GroupCoordinator
    let environment: StorageEnvironment
    var metrics: LogMetrics { environment.metrics }
    var logger: Logger { environment.logger }
    /// Bytes of requests that are not answered yet.
    let requestBudget: ByteBudget
    /// Bytes of records that are on their way to clients.
    let fetchBudget: ByteBudget
    private let advertised = Mutex<(host: String, port: Int)>((host: "127.0.0.1", port: 0))
    private let isStopping = Atomic(false)

    init(
        configuration: EventLogConfiguration,
        store: LogStore,
        groups: GroupCoordinator,
        environment: StorageEnvironment
    ) {
        self.configuration = configuration
        self.store = store
        self.groups = groups
        self.environment = environment
        requestBudget = ByteBudget(limit: max(configuration.maxInFlightBytes, configuration.maxRequestBytes))
        fetchBudget = ByteBudget(limit: max(configuration.maxFetchBytes, configuration.maxFetchResponseBytes))
    }

    /// The address that clients are told; set once the listener is bound.
    var address: (host: String, port: Int) {
        get { advertised.withLock { $0 } }
        set { advertised.withLock { $0 = newValue } }
    }

    func stop() { isStopping.store(true, ordering: .relaxed) }

    /// Counts a new connection in; false when there are too many.
    func admitConnection() -> Bool {
        guard !isStopping.load(ordering: .relaxed), Int(metrics.connections.value) < configuration.maxConnections else {
            metrics.connectionsRefused.increment(by: 1)
            return false
        }
        metrics.connections.increment(by: 1)
        return true
    }

    func apiVersions(_ request: ApiVersionsRequest, _ context: RequestContext) -> ApiVersionsResponse {
        ApiVersionsResponse(
            error: context.isKnownVersion ? .none : .unsupportedVersion,
            rows: ApiTable.rows.map {
                .init(key: $0.key.rawValue, minVersion: $0.advertised.lowerBound, maxVersion: $0.advertised.upperBound)
            }
        )
    }

    /// Runs work that blocks on one of the pools.
    func run<Response>(
        on pool: NIOThreadPool,
        _ responder: Responder<Response>,
        _ body: @escaping @Sendable () -> Void
    ) {
        pool.submit { state in
            if case .active = state { body() } else { responder.close() }
        }
    }

    /// Whether a client's idea of the leader epoch fits (KIP-320); −1 means it has none.
    func checkEpoch(_ epoch: Int32) -> ErrorCode {
        if epoch < 0 || epoch == store.leaderEpoch { return .none }
        return epoch < store.leaderEpoch ? .fencedLeaderEpoch : .unknownLeaderEpoch
    }
}
