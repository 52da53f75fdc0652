/// The requests that this server understands.
enum ApiKey: Int16, CaseIterable, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case metadata = 3
    case offsetCommit = 8
    case offsetFetch = 9
    case findCoordinator = 10
    case joinGroup = 11
    case heartbeat = 12
    case leaveGroup = 13
    case syncGroup = 14
    case describeGroups = 15
    case listGroups = 16
    case apiVersions = 18
    case createTopics = 19
    case deleteTopics = 20
    case deleteRecords = 21
    case initProducerId = 22
    case offsetForLeaderEpoch = 23
    case describeConfigs = 32
    case createPartitions = 37
    case deleteGroups = 42
    case describeCluster = 60
}

/// How a request is carried out: what reads its body, and the broker's function that answers it.
struct RequestHandler: Sendable {
    let request: any WireStruct.Type
    let response: any WireStruct.Type
    /// Reads the body and begins. A request that may wait for long is returned, so that it can be given up.
    let start:
        @Sendable (Broker, inout WireReader, RequestContext, @escaping Deliver) throws(WireError)
            -> (any RunningRequest)?

    private init<Request: WireStruct, Response: WireStruct>(
        _ begin: @escaping @Sendable (Broker, Request, Responder<Response>) -> (any RunningRequest)?
    ) {
        request = Request.self
        response = Response.self
        start = { (broker, reader, context, deliver) throws(WireError) in
            begin(broker, try reader.message(), Responder(context: context, deliver: deliver))
        }
    }

    /// Answered before the function returns, on the connection's event loop.
    static func atOnce<Request: WireStruct, Response: WireStruct>(
        _ answer: @escaping @Sendable (Broker) -> (Request, RequestContext) -> Response
    ) -> Self {
        .init { broker, request, responder in
            responder.send(answer(broker)(request, responder.context))
            return nil
        }
    }

    /// Answered by the function through its responder, when and where it likes.
    static func later<Request: WireStruct, Response: WireStruct>(
        _ begin: @escaping @Sendable (Broker) -> (Request, Responder<Response>) -> Void
    ) -> Self {
        .init { broker, request, responder in
            begin(broker)(request, responder)
            return nil
        }
    }

    /// The same, for what may wait for long.
    static func waiting<Request: WireStruct, Response: WireStruct>(
        _ begin: @escaping @Sendable (Broker) -> (Request, Responder<Response>) -> any RunningRequest
    ) -> Self {
        .init { broker, request, responder in begin(broker)(request, responder) }
    }

    /// Carried out on the administration thread.
    static func administrative<Request: WireStruct, Response: WireStruct>(
        _ answer: @escaping @Sendable (Broker) -> (Request) -> Response
    ) -> Self {
        .init { broker, request, responder in
            broker.run(on: broker.environment.administration, responder) { responder.send(answer(broker)(request)) }
            return nil
        }
    }
}

/// One row of the version table.
///
/// The profile is that of Apache Kafka 3.0, the last one before topic ids replace names in Fetch (version 13).
/// `advertised` begins at 0 also where old versions are refused: librdkafka 2.0 infers features from an overlap with
/// versions 0 and 1, and would silently switch off compression, idempotence or groups otherwise.
struct ApiVersionRow: Sendable {
    let key: ApiKey
    /// What ApiVersions lists.
    let advertised: ClosedRange<Int16>
    /// What is carried out; an advertised version below it is answered with UNSUPPORTED_VERSION.
    let served: ClosedRange<Int16>
    /// The first version with compact lengths and tagged fields, in the bodies and in the request's header.
    let flexibleFrom: Int16
    let handler: RequestHandler

    fileprivate init(
        _ key: ApiKey,
        _ advertised: ClosedRange<Int16>,
        served: ClosedRange<Int16>? = nil,
        flexible: Int16,
        _ handler: RequestHandler
    ) {
        self.key = key
        self.advertised = advertised
        self.served = served ?? advertised
        flexibleFrom = flexible
        self.handler = handler
    }

    func isFlexible(_ version: Int16) -> Bool { version >= flexibleFrom }

    /// An ApiVersions response has the header without tags in every version (KIP-511).
    func responseHeaderIsFlexible(_ version: Int16) -> Bool { key != .apiVersions && isFlexible(version) }
}

/// The version table: the only place that says which requests exist.
enum ApiTable {
    static let rows: [ApiVersionRow] = [
        .init(.produce, 0...9, served: 3...9, flexible: 9, .later(Broker.produce)),
        .init(.fetch, 4...12, flexible: 12, .waiting(Broker.fetch)),
        .init(.listOffsets, 0...7, flexible: 6, .later(Broker.listOffsets)),
        .init(.metadata, 0...11, flexible: 9, .later(Broker.metadata)),
        .init(.offsetCommit, 0...8, flexible: 8, .later { $0.groups.commit }),
        .init(.offsetFetch, 0...8, flexible: 6, .atOnce { $0.groups.fetchOffsets }),
        .init(.findCoordinator, 0...4, flexible: 3, .atOnce(Broker.findCoordinator)),
        .init(.joinGroup, 0...7, flexible: 6, .later { $0.groups.join }),
        .init(.heartbeat, 0...4, flexible: 4, .atOnce { $0.groups.heartbeat }),
        .init(.leaveGroup, 0...4, flexible: 4, .atOnce { $0.groups.leave }),
        .init(.syncGroup, 0...5, flexible: 4, .later { $0.groups.sync }),
        .init(.describeGroups, 0...5, flexible: 5, .atOnce { $0.groups.describe }),
        .init(.listGroups, 0...4, flexible: 3, .atOnce { $0.groups.list }),
        .init(.apiVersions, 0...3, flexible: 3, .atOnce(Broker.apiVersions)),
        .init(.createTopics, 0...7, flexible: 5, .administrative(Broker.createTopics)),
        .init(.deleteTopics, 0...6, flexible: 4, .administrative(Broker.deleteTopics)),
        .init(.deleteRecords, 0...2, flexible: 2, .administrative(Broker.deleteRecords)),
        .init(.initProducerId, 0...4, flexible: 2, .later(Broker.initProducerId)),
        .init(.offsetForLeaderEpoch, 0...4, flexible: 4, .atOnce(Broker.offsetForLeaderEpoch)),
        .init(.describeConfigs, 0...4, flexible: 4, .atOnce(Broker.describeConfigs)),
        .init(.createPartitions, 0...3, flexible: 2, .administrative(Broker.createPartitions)),
        .init(.deleteGroups, 0...2, flexible: 2, .later { $0.groups.delete }),
        .init(.describeCluster, 0...1, flexible: 0, .atOnce(Broker.describeCluster)),
    ]

    private static let byKey = Dictionary(uniqueKeysWithValues: rows.map { ($0.key.rawValue, $0) })

    static func row(key: Int16) -> ApiVersionRow? { byKey[key] }
}
