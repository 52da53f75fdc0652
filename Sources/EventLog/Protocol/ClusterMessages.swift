/// "Not asked for" in fields that hold a set of authorised operations.
let noAuthorizedOperations = Int32.min

/// ApiVersions (key 18), versions 0–3.
struct ApiVersionsRequest: WireStruct {
    var clientSoftwareName = ""
    var clientSoftwareVersion = ""

    static let fields: Fields = [.init(\.clientSoftwareName, since: 3), .init(\.clientSoftwareVersion, since: 3)]
}

/// The answer to ``ApiVersionsRequest``.
struct ApiVersionsResponse: WireStruct {
    struct Row: WireStruct {
        var key: Int16 = 0
        var minVersion: Int16 = 0
        var maxVersion: Int16 = 0

        static let fields: Fields = [.init(\.key), .init(\.minVersion), .init(\.maxVersion)]
    }

    var error = ErrorCode.none
    var rows: [Row] = []
    var throttleMs: Int32 = 0

    static let fields: Fields = [.init(\.error), .init(\.rows), .init(\.throttleMs, since: 1)]
}

/// Metadata (key 3), versions 0–11.
struct MetadataRequest: WireStruct {
    struct Topic: WireStruct {
        var id = TopicID.zero
        var name: String? = ""

        static let fields: Fields = [.init(\.id, since: 10), .init(\.name, nullableSince: 10)]
    }

    /// Nil asks for all topics; so does an empty list in version 0.
    var topics: [Topic]?
    var allowAutoTopicCreation = true
    var includeClusterAuthorizedOperations = false
    var includeTopicAuthorizedOperations = false

    static let fields: Fields = [
        .init(\.topics, nullableSince: 1), .init(\.allowAutoTopicCreation, since: 4),
        .init(\.includeClusterAuthorizedOperations, since: 8, until: 10),
        .init(\.includeTopicAuthorizedOperations, since: 8),
    ]
}

/// The answer to ``MetadataRequest``.
struct MetadataResponse: WireStruct {
    struct Broker: WireStruct {
        var nodeId: Int32 = 0
        var host = ""
        var port: Int32 = 0
        var rack: String?

        static let fields: Fields = [.init(\.nodeId), .init(\.host), .init(\.port), .init(\.rack, since: 1)]
    }

    struct Topic: WireStruct {
        var error = ErrorCode.none
        var name = ""
        var id = TopicID.zero
        var isInternal = false
        var partitions: [Partition] = []
        var authorizedOperations = noAuthorizedOperations

        static let fields: Fields = [
            .init(\.error), .init(\.name), .init(\.id, since: 10), .init(\.isInternal, since: 1), .init(\.partitions),
            .init(\.authorizedOperations, since: 8),
        ]
    }

    struct Partition: WireStruct {
        var error = ErrorCode.none
        var index: Int32 = 0
        var leaderId: Int32 = 0
        var leaderEpoch: Int32 = -1
        var replicas: [Int32] = []
        var inSyncReplicas: [Int32] = []
        var offlineReplicas: [Int32] = []

        static let fields: Fields = [
            .init(\.error), .init(\.index), .init(\.leaderId), .init(\.leaderEpoch, since: 7), .init(\.replicas),
            .init(\.inSyncReplicas), .init(\.offlineReplicas, since: 5),
        ]
    }

    var throttleMs: Int32 = 0
    var brokers: [Broker] = []
    var clusterId: String?
    var controllerId: Int32 = -1
    var topics: [Topic] = []
    var clusterAuthorizedOperations = noAuthorizedOperations

    static let fields: Fields = [
        .init(\.throttleMs, since: 3), .init(\.brokers), .init(\.clusterId, since: 2), .init(\.controllerId, since: 1),
        .init(\.topics), .init(\.clusterAuthorizedOperations, since: 8, until: 10),
    ]
}

/// DescribeCluster (key 60), versions 0–1.
struct DescribeClusterRequest: WireStruct {
    /// The only kind of node there is; the other one is 2, controllers.
    static let brokers: Int8 = 1

    var includeClusterAuthorizedOperations = false
    var endpointType = brokers

    static let fields: Fields = [.init(\.includeClusterAuthorizedOperations), .init(\.endpointType, since: 1)]
}

/// The answer to ``DescribeClusterRequest``.
struct DescribeClusterResponse: WireStruct {
    struct Broker: WireStruct {
        var nodeId: Int32 = 0
        var host = ""
        var port: Int32 = 0
        var rack: String?

        static let fields: Fields = [.init(\.nodeId), .init(\.host), .init(\.port), .init(\.rack)]
    }

    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var errorMessage: String?
    var endpointType = DescribeClusterRequest.brokers
    var clusterId = ""
    var controllerId: Int32 = -1
    var brokers: [Broker] = []
    var clusterAuthorizedOperations = noAuthorizedOperations

    static let fields: Fields = [
        .init(\.throttleMs), .init(\.error), .init(\.errorMessage), .init(\.endpointType, since: 1), .init(\.clusterId),
        .init(\.controllerId), .init(\.brokers), .init(\.clusterAuthorizedOperations),
    ]
}
