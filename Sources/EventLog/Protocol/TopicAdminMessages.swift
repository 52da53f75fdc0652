/// CreateTopics (key 19), versions 0–7.
struct CreateTopicsRequest: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var partitionCount: Int32 = -1
        var replicationFactor: Int16 = -1
        var assignments: [Assignment] = []
        var configs: [Config] = []

        static let fields: Fields = [
            .init(\.name), .init(\.partitionCount), .init(\.replicationFactor), .init(\.assignments), .init(\.configs),
        ]
    }

    struct Assignment: WireStruct {
        var partition: Int32 = 0
        var brokers: [Int32] = []

        static let fields: Fields = [.init(\.partition), .init(\.brokers)]
    }

    struct Config: WireStruct {
        var name = ""
        var value: String?

        static let fields: Fields = [.init(\.name), .init(\.value)]
    }

    var topics: [Topic] = []
    var timeoutMs: Int32 = 0
    var validateOnly = false

    static let fields: Fields = [.init(\.topics), .init(\.timeoutMs), .init(\.validateOnly, since: 1)]
}

/// The answer to ``CreateTopicsRequest``.
struct CreateTopicsResponse: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var id = TopicID.zero
        var error = ErrorCode.none
        var errorMessage: String?
        var partitionCount: Int32 = -1
        var replicationFactor: Int16 = -1
        var configs: [Config]?

        static let fields: Fields = [
            .init(\.name), .init(\.id, since: 7), .init(\.error), .init(\.errorMessage, since: 1),
            .init(\.partitionCount, since: 5), .init(\.replicationFactor, since: 5), .init(\.configs, since: 5),
        ]
    }

    struct Config: WireStruct {
        var name = ""
        var value: String?
        var isReadOnly = false
        var source: Int8 = -1
        var isSensitive = false

        static let fields: Fields = [
            .init(\.name), .init(\.value), .init(\.isReadOnly), .init(\.source), .init(\.isSensitive),
        ]
    }

    var throttleMs: Int32 = 0
    var topics: [Topic] = []

    static let fields: Fields = [.init(\.throttleMs, since: 2), .init(\.topics)]
}

/// DeleteTopics (key 20), versions 0–6; version 6 names topics by name or by id.
struct DeleteTopicsRequest: WireStruct {
    struct Topic: WireStruct {
        var name: String?
        var id = TopicID.zero

        static let fields: Fields = [.init(\.name), .init(\.id)]
    }

    var topics: [Topic] = []
    var names: [String] = []
    var timeoutMs: Int32 = 0

    static let fields: Fields = [.init(\.topics, since: 6), .init(\.names, until: 5), .init(\.timeoutMs)]
}

/// The answer to ``DeleteTopicsRequest``.
struct DeleteTopicsResponse: WireStruct {
    struct Topic: WireStruct {
        var name: String?
        var id = TopicID.zero
        var error = ErrorCode.none
        var errorMessage: String?

        static let fields: Fields = [
            .init(\.name, nullableSince: 6), .init(\.id, since: 6), .init(\.error), .init(\.errorMessage, since: 5),
        ]
    }

    var throttleMs: Int32 = 0
    var topics: [Topic] = []

    static let fields: Fields = [.init(\.throttleMs, since: 1), .init(\.topics)]
}

/// CreatePartitions (key 37), versions 0–3.
struct CreatePartitionsRequest: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var count: Int32 = 0
        var assignments: [Assignment]?

        static let fields: Fields = [.init(\.name), .init(\.count), .init(\.assignments)]
    }

    struct Assignment: WireStruct {
        var brokers: [Int32] = []

        static let fields: Fields = [.init(\.brokers)]
    }

    var topics: [Topic] = []
    var timeoutMs: Int32 = 0
    var validateOnly = false

    static let fields: Fields = [.init(\.topics), .init(\.timeoutMs), .init(\.validateOnly)]
}

/// The answer to ``CreatePartitionsRequest``.
struct CreatePartitionsResponse: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var error = ErrorCode.none
        var errorMessage: String?

        static let fields: Fields = [.init(\.name), .init(\.error), .init(\.errorMessage)]
    }

    var throttleMs: Int32 = 0
    var topics: [Topic] = []

    static let fields: Fields = [.init(\.throttleMs), .init(\.topics)]
}

/// DeleteRecords (key 21), versions 0–2.
struct DeleteRecordsRequest: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        /// Records below this offset go; −1 means all that are readable.
        var offset: Int64 = 0

        static let fields: Fields = [.init(\.index), .init(\.offset)]
    }

    var topics: [ByTopic<Partition>] = []
    var timeoutMs: Int32 = 0

    static let fields: Fields = [.init(\.topics), .init(\.timeoutMs)]
}

/// The answer to ``DeleteRecordsRequest``.
struct DeleteRecordsResponse: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var lowWatermark: Int64 = -1
        var error = ErrorCode.none

        static let fields: Fields = [.init(\.index), .init(\.lowWatermark), .init(\.error)]
    }

    var throttleMs: Int32 = 0
    var topics: [ByTopic<Partition>] = []

    static let fields: Fields = [.init(\.throttleMs), .init(\.topics)]
}
