import Logging
import NIOCore
import NIOPosix
import Synchronization
import Telemetry

/// What the requests do: decoding, dispatch, and the state that all connections share.
///
/// Thread-safe: immutable, or made of thread-safe parts.
final class Broker: Sendable {
    let configuration: EventLogConfiguration
    let store: LogStore
    let groups: GroupCoordinator
    let environment: StorageEnvironment
    let metrics: LogMetrics
    let logger: Logger
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
        metrics = environment.metrics
        logger = environment.logger
        requestBudget = ByteBudget(limit: max(configuration.maxInFlightBytes, configuration.maxRequestBytes))
        fetchBudget = ByteBudget(limit: max(configuration.maxFetchBytes, configuration.maxFetchResponseBytes))
    }

    /// The address that clients are told; set once the listener is bound.
    var address: (host: String, port: Int) {
        get { advertised.withLock { $0 } }
        set { advertised.withLock { $0 = newValue } }
    }

    func advertise(host: String, port: Int) { advertised.withLock { $0 = (host, port) } }

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

    /// Carries out one request. The responder is called once, now or later, on any thread. A request that may wait for
    /// long is returned, so that it can be given up.
    func handle(
        _ body: ByteBuffer,
        isKnownVersion: Bool,
        responder: Responder,
        eventLoop: any EventLoop
    ) throws(WireError) -> (any RunningRequest)? {
        let context = responder.context
        guard isKnownVersion else {
            // KIP-511: the client's version is newer; the answer has version 0 and says what there is.
            responder.send(apiVersions(error: .unsupportedVersion))
            return nil
        }
        let isFlexible = context.row.isFlexible(context.version)
        var reader = WireReader(body, version: context.version, isFlexible: isFlexible)
        switch context.row.key {
        case .produce: produce(try reader.message(), responder)
        case .fetch: return fetch(try reader.message(), responder, eventLoop: eventLoop)
        case .listOffsets: listOffsets(try reader.message(), responder)
        case .metadata: metadata(try reader.message(), responder)
        case .offsetCommit: offsetCommit(try reader.message(), responder)
        case .offsetFetch: offsetFetch(try reader.message(), responder)
        case .findCoordinator: findCoordinator(try reader.message(), responder)
        case .joinGroup: joinGroup(try reader.message(), responder)
        case .heartbeat: heartbeat(try reader.message(), responder)
        case .leaveGroup: leaveGroup(try reader.message(), responder)
        case .syncGroup: syncGroup(try reader.message(), responder)
        case .describeGroups: describeGroups(try reader.message(), responder)
        case .listGroups: listGroups(try reader.message(), responder)
        case .apiVersions:
            _ = try reader.message(ApiVersionsRequest.self)
            responder.send(apiVersions(error: .none))
        case .createTopics: createTopics(try reader.message(), responder)
        case .deleteTopics: deleteTopics(try reader.message(), responder)
        case .deleteRecords: deleteRecords(try reader.message(), responder)
        case .initProducerId: initProducerId(try reader.message(), responder)
        case .offsetForLeaderEpoch: offsetForLeaderEpoch(try reader.message(), responder)
        case .describeConfigs: describeConfigs(try reader.message(), responder)
        case .createPartitions: createPartitions(try reader.message(), responder)
        case .deleteGroups: deleteGroups(try reader.message(), responder)
        case .describeCluster: describeCluster(try reader.message(), responder)
        }
        return nil
    }

    private func apiVersions(error: ErrorCode) -> ApiVersionsResponse {
        ApiVersionsResponse(
            error: error,
            rows: ApiTable.rows.map {
                .init(
                    key: $0.key.rawValue,
                    minVersion: $0.advertised.lowerBound,
                    maxVersion: $0.advertised.upperBound
                )
            }
        )
    }

    /// Runs work on the administration thread.
    func administrate(_ responder: Responder, _ body: @escaping @Sendable () -> Void) {
        environment.administration.submit { state in
            if case .active = state { body() } else { responder.close() }
        }
    }

    /// Runs work that reads files.
    func readFiles(_ responder: Responder, _ body: @escaping @Sendable () -> Void) {
        environment.readers.submit { state in
            if case .active = state { body() } else { responder.close() }
        }
    }

    /// Whether a client's idea of the leader epoch fits (KIP-320); −1 means it has none.
    func checkEpoch(_ epoch: Int32) -> ErrorCode {
        if epoch < 0 || epoch == store.leaderEpoch { return .none }
        return epoch < store.leaderEpoch ? .fencedLeaderEpoch : .unknownLeaderEpoch
    }
}
