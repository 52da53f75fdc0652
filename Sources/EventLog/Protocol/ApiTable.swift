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
    let request: any WireStruct.Type
    let response: any WireStruct.Type

    fileprivate init(
        _ key: ApiKey,
        _ advertised: ClosedRange<Int16>,
        served: ClosedRange<Int16>? = nil,
        flexible: Int16,
        _ request: any WireStruct.Type,
        _ response: any WireStruct.Type
    ) {
        self.key = key
        self.advertised = advertised
        self.served = served ?? advertised
        flexibleFrom = flexible
        self.request = request
        self.response = response
    }

    func isFlexible(_ version: Int16) -> Bool { version >= flexibleFrom }

    /// An ApiVersions response has the header without tags in every version (KIP-511).
    func responseHeaderIsFlexible(_ version: Int16) -> Bool { key != .apiVersions && isFlexible(version) }
}

/// The version table: the only place that says which requests exist.
enum ApiTable {
    static let rows: [ApiVersionRow] = [
        .init(.produce, 0...9, served: 3...9, flexible: 9, ProduceRequest.self, ProduceResponse.self),
        .init(.fetch, 4...12, flexible: 12, FetchRequest.self, FetchResponse.self),
        .init(.listOffsets, 0...7, flexible: 6, ListOffsetsRequest.self, ListOffsetsResponse.self),
        .init(.metadata, 0...11, flexible: 9, MetadataRequest.self, MetadataResponse.self),
        .init(.offsetCommit, 0...8, flexible: 8, OffsetCommitRequest.self, OffsetCommitResponse.self),
        .init(.offsetFetch, 0...8, flexible: 6, OffsetFetchRequest.self, OffsetFetchResponse.self),
        .init(.findCoordinator, 0...4, flexible: 3, FindCoordinatorRequest.self, FindCoordinatorResponse.self),
        .init(.joinGroup, 0...7, flexible: 6, JoinGroupRequest.self, JoinGroupResponse.self),
        .init(.heartbeat, 0...4, flexible: 4, HeartbeatRequest.self, HeartbeatResponse.self),
        .init(.leaveGroup, 0...4, flexible: 4, LeaveGroupRequest.self, LeaveGroupResponse.self),
        .init(.syncGroup, 0...5, flexible: 4, SyncGroupRequest.self, SyncGroupResponse.self),
        .init(.describeGroups, 0...5, flexible: 5, DescribeGroupsRequest.self, DescribeGroupsResponse.self),
        .init(.listGroups, 0...4, flexible: 3, ListGroupsRequest.self, ListGroupsResponse.self),
        .init(.apiVersions, 0...3, flexible: 3, ApiVersionsRequest.self, ApiVersionsResponse.self),
        .init(.createTopics, 0...7, flexible: 5, CreateTopicsRequest.self, CreateTopicsResponse.self),
        .init(.deleteTopics, 0...6, flexible: 4, DeleteTopicsRequest.self, DeleteTopicsResponse.self),
        .init(.deleteRecords, 0...2, flexible: 2, DeleteRecordsRequest.self, DeleteRecordsResponse.self),
        .init(.initProducerId, 0...4, flexible: 2, InitProducerIdRequest.self, InitProducerIdResponse.self),
        .init(
            .offsetForLeaderEpoch,
            0...4,
            flexible: 4,
            OffsetForLeaderEpochRequest.self,
            OffsetForLeaderEpochResponse.self
        ),
        .init(.describeConfigs, 0...4, flexible: 4, DescribeConfigsRequest.self, DescribeConfigsResponse.self),
        .init(.createPartitions, 0...3, flexible: 2, CreatePartitionsRequest.self, CreatePartitionsResponse.self),
        .init(.deleteGroups, 0...2, flexible: 2, DeleteGroupsRequest.self, DeleteGroupsResponse.self),
        .init(.describeCluster, 0...1, flexible: 0, DescribeClusterRequest.self, DescribeClusterResponse.self),
    ]

    private static let byKey = Dictionary(uniqueKeysWithValues: rows.map { ($0.key.rawValue, $0) })

    static func row(key: Int16) -> ApiVersionRow? { byKey[key] }
}
