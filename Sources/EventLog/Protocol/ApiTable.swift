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
    /// The first version with compact lengths and tagged fields.
    let flexibleFrom: Int16

    func isFlexible(_ version: Int16) -> Bool { version >= flexibleFrom }

    /// Request header version 2 has tagged fields, version 1 has not.
    func requestHeaderIsFlexible(_ version: Int16) -> Bool { isFlexible(version) }

    /// An ApiVersions response has the header without tags in every version (KIP-511).
    func responseHeaderIsFlexible(_ version: Int16) -> Bool { key != .apiVersions && isFlexible(version) }
}

/// The version table: the only place that says which requests exist.
enum ApiTable {
    static let rows: [ApiVersionRow] = [
        row(.produce, 0...9, served: 3...9, flexible: 9),
        row(.fetch, 4...12, flexible: 12),
        row(.listOffsets, 0...7, flexible: 6),
        row(.metadata, 0...11, flexible: 9),
        row(.offsetCommit, 0...8, flexible: 8),
        row(.offsetFetch, 0...8, flexible: 6),
        row(.findCoordinator, 0...4, flexible: 3),
        row(.joinGroup, 0...7, flexible: 6),
        row(.heartbeat, 0...4, flexible: 4),
        row(.leaveGroup, 0...4, flexible: 4),
        row(.syncGroup, 0...5, flexible: 4),
        row(.describeGroups, 0...5, flexible: 5),
        row(.listGroups, 0...4, flexible: 3),
        row(.apiVersions, 0...3, flexible: 3),
        row(.createTopics, 0...7, flexible: 5),
        row(.deleteTopics, 0...6, flexible: 4),
        row(.deleteRecords, 0...2, flexible: 2),
        row(.initProducerId, 0...4, flexible: 2),
        row(.offsetForLeaderEpoch, 0...4, flexible: 4),
        row(.describeConfigs, 0...4, flexible: 4),
        row(.createPartitions, 0...3, flexible: 2),
        row(.deleteGroups, 0...2, flexible: 2),
        row(.describeCluster, 0...0, flexible: 0),
    ]

    private static let byKey: [Int16: ApiVersionRow] = Dictionary(
        uniqueKeysWithValues: rows.map { ($0.key.rawValue, $0) }
    )

    static func row(key: Int16) -> ApiVersionRow? { byKey[key] }

    private static func row(
        _ key: ApiKey,
        _ advertised: ClosedRange<Int16>,
        served: ClosedRange<Int16>? = nil,
        flexible: Int16
    ) -> ApiVersionRow {
        ApiVersionRow(key: key, advertised: advertised, served: served ?? advertised, flexibleFrom: flexible)
    }
}
