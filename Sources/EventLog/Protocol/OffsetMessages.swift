/// OffsetCommit (key 8), versions 0–8.
struct OffsetCommitRequest: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var offset: Int64 = 0
        var leaderEpoch: Int32 = -1
        var commitTimestamp: Int64 = -1
        var metadata: String?

        static let fields: Fields = [
            .init(\.index), .init(\.offset), .init(\.leaderEpoch, since: 6),
            .init(\.commitTimestamp, since: 1, until: 1), .init(\.metadata),
        ]
    }

    var groupId = ""
    var generation: Int32 = -1
    var memberId = ""
    var groupInstanceId: String?
    var retentionTimeMs: Int64 = -1
    var topics: [ByTopic<Partition>] = []

    static let fields: Fields = [
        .init(\.groupId), .init(\.generation, since: 1), .init(\.memberId, since: 1),
        .init(\.groupInstanceId, since: 7), .init(\.retentionTimeMs, since: 2, until: 4), .init(\.topics),
    ]
}

/// The answer to ``OffsetCommitRequest``.
struct OffsetCommitResponse: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var error = ErrorCode.none

        static let fields: Fields = [.init(\.index), .init(\.error)]
    }

    var throttleMs: Int32 = 0
    var topics: [ByTopic<Partition>] = []

    static let fields: Fields = [.init(\.throttleMs, since: 3), .init(\.topics)]
}

/// OffsetFetch (key 9), versions 0–8: one group before version 8, a list from then on.
struct OffsetFetchRequest: WireStruct {
    struct Group: WireStruct {
        var groupId = ""
        /// Nil asks for every offset of the group.
        var topics: [ByTopic<Int32>]?

        static let fields: Fields = [.init(\.groupId), .init(\.topics)]
    }

    var only = Group()
    var groups: [Group] = []
    var requireStable = false

    static let fields: Fields = [
        .init(\.only.groupId, until: 7), .init(\.only.topics, nullableSince: 2, until: 7), .init(\.groups, since: 8),
        .init(\.requireStable, since: 7),
    ]
}

/// The answer to ``OffsetFetchRequest``.
struct OffsetFetchResponse: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var offset: Int64 = -1
        var leaderEpoch: Int32 = -1
        var metadata: String? = ""
        var error = ErrorCode.none

        static let fields: Fields = [
            .init(\.index), .init(\.offset), .init(\.leaderEpoch, since: 5), .init(\.metadata), .init(\.error),
        ]
    }

    struct Group: WireStruct {
        var groupId = ""
        var topics: [ByTopic<Partition>] = []
        var error = ErrorCode.none

        static let fields: Fields = [.init(\.groupId), .init(\.topics), .init(\.error)]
    }

    var throttleMs: Int32 = 0
    var only = Group()
    var groups: [Group] = []

    static let fields: Fields = [
        .init(\.throttleMs, since: 3), .init(\.only.topics, until: 7), .init(\.only.error, since: 2, until: 7),
        .init(\.groups, since: 8),
    ]
}
