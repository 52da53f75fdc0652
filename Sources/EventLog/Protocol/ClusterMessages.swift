/// "Not asked for" in fields that hold a set of authorised operations.
private let noAuthorizedOperations = Int32.min

/// ApiVersions (key 18), versions 0–3.
struct ApiVersionsRequest: WireStruct {
    var clientSoftwareName = ""
    var clientSoftwareVersion = ""

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 3 {
            try coder.string(&clientSoftwareName)
            try coder.string(&clientSoftwareVersion)
        }
        try coder.tags()
    }
}

/// The answer to ``ApiVersionsRequest``.
struct ApiVersionsResponse: WireStruct {
    struct Row: WireStruct {
        var key: Int16 = 0
        var minVersion: Int16 = 0
        var maxVersion: Int16 = 0

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int16(&key)
            try coder.int16(&minVersion)
            try coder.int16(&maxVersion)
            try coder.tags()
        }
    }

    var error = ErrorCode.none
    var rows: [Row] = []
    var throttleMs: Int32 = 0

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.error(&error)
        try coder.array(&rows)
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        try coder.tags()
    }
}

/// Metadata (key 3), versions 0–11.
struct MetadataRequest: WireStruct {
    struct Topic: WireStruct {
        var id = TopicID.zero
        var name: String? = ""

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            if coder.version >= 10 {
                try coder.uuid(&id)
                try coder.nullableString(&name)
            } else {
                var text = name ?? ""
                try coder.string(&text)
                name = text
            }
            try coder.tags()
        }
    }

    /// Nil asks for all topics; so does an empty list in version 0.
    var topics: [Topic]?
    var allowAutoTopicCreation = true
    var includeClusterAuthorizedOperations = false
    var includeTopicAuthorizedOperations = false

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 1 {
            try coder.nullableArray(&topics)
        } else {
            var list = topics ?? []
            try coder.array(&list)
            topics = list.isEmpty ? nil : list
        }
        if coder.version >= 4 { try coder.bool(&allowAutoTopicCreation) }
        if (8...10).contains(coder.version) { try coder.bool(&includeClusterAuthorizedOperations) }
        if coder.version >= 8 { try coder.bool(&includeTopicAuthorizedOperations) }
        try coder.tags()
    }
}

/// A node as Metadata and DescribeCluster list it.
struct BrokerEntry: WireStruct {
    var nodeId: Int32 = 0
    var host = ""
    var port: Int32 = 0
    var rack: String?

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.int32(&nodeId)
        try coder.string(&host)
        try coder.int32(&port)
        if coder.version >= 1 || coder.isFlexible { try coder.nullableString(&rack) }
        try coder.tags()
    }
}

/// The answer to ``MetadataRequest``.
struct MetadataResponse: WireStruct {
    struct Topic: WireStruct {
        var error = ErrorCode.none
        var name = ""
        var id = TopicID.zero
        var isInternal = false
        var partitions: [Partition] = []
        var authorizedOperations = noAuthorizedOperations

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.error(&error)
            try coder.string(&name)
            if coder.version >= 10 { try coder.uuid(&id) }
            if coder.version >= 1 { try coder.bool(&isInternal) }
            try coder.array(&partitions)
            if coder.version >= 8 { try coder.int32(&authorizedOperations) }
            try coder.tags()
        }
    }

    struct Partition: WireStruct {
        var error = ErrorCode.none
        var index: Int32 = 0
        var leaderId: Int32 = 0
        var leaderEpoch: Int32 = -1
        var replicas: [Int32] = []
        var inSyncReplicas: [Int32] = []
        var offlineReplicas: [Int32] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.error(&error)
            try coder.int32(&index)
            try coder.int32(&leaderId)
            if coder.version >= 7 { try coder.int32(&leaderEpoch) }
            try coder.int32Array(&replicas)
            try coder.int32Array(&inSyncReplicas)
            if coder.version >= 5 { try coder.int32Array(&offlineReplicas) }
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var brokers: [BrokerEntry] = []
    var clusterId: String?
    var controllerId: Int32 = -1
    var topics: [Topic] = []
    var clusterAuthorizedOperations = noAuthorizedOperations

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 3 { try coder.int32(&throttleMs) }
        try coder.array(&brokers)
        if coder.version >= 2 { try coder.nullableString(&clusterId) }
        if coder.version >= 1 { try coder.int32(&controllerId) }
        try coder.array(&topics)
        if (8...10).contains(coder.version) { try coder.int32(&clusterAuthorizedOperations) }
        try coder.tags()
    }
}

/// DescribeCluster (key 60), version 0.
struct DescribeClusterRequest: WireStruct {
    var includeAuthorizedOperations = false

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.bool(&includeAuthorizedOperations)
        try coder.tags()
    }
}

/// The answer to ``DescribeClusterRequest``.
struct DescribeClusterResponse: WireStruct {
    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var errorMessage: String?
    var clusterId = ""
    var controllerId: Int32 = -1
    var brokers: [BrokerEntry] = []
    var authorizedOperations = noAuthorizedOperations

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.int32(&throttleMs)
        try coder.error(&error)
        try coder.nullableString(&errorMessage)
        try coder.string(&clusterId)
        try coder.int32(&controllerId)
        try coder.array(&brokers)
        try coder.int32(&authorizedOperations)
        try coder.tags()
    }
}
