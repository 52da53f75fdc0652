/// ListOffsets (key 2), versions 0–7.
struct ListOffsetsRequest: WireStruct {
    /// Timestamps with a meaning of their own.
    static let latest: Int64 = -1
    static let earliest: Int64 = -2
    static let maxTimestamp: Int64 = -3

    struct Partition: WireStruct {
        var index: Int32 = 0
        var currentLeaderEpoch: Int32 = -1
        var timestamp: Int64 = 0
        var maxOffsets: Int32 = 1

        static let fields: Fields = [
            .init(\.index), .init(\.currentLeaderEpoch, since: 4), .init(\.timestamp), .init(\.maxOffsets, until: 0),
        ]
    }

    var replicaId: Int32 = -1
    var isolationLevel: Int8 = 0
    var topics: [ByTopic<Partition>] = []

    static let fields: Fields = [.init(\.replicaId), .init(\.isolationLevel, since: 2), .init(\.topics)]
}

/// The answer to ``ListOffsetsRequest``.
struct ListOffsetsResponse: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var error = ErrorCode.none
        var oldStyleOffsets: [Int64] = []
        var timestamp: Int64 = -1
        var offset: Int64 = -1
        var leaderEpoch: Int32 = -1

        static let fields: Fields = [
            .init(\.index), .init(\.error), .init(\.oldStyleOffsets, until: 0), .init(\.timestamp, since: 1),
            .init(\.offset, since: 1), .init(\.leaderEpoch, since: 4),
        ]
    }

    var throttleMs: Int32 = 0
    var topics: [ByTopic<Partition>] = []

    static let fields: Fields = [.init(\.throttleMs, since: 2), .init(\.topics)]
}

/// OffsetForLeaderEpoch (key 23), versions 0–4.
struct OffsetForLeaderEpochRequest: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var currentLeaderEpoch: Int32 = -1
        var leaderEpoch: Int32 = 0

        static let fields: Fields = [.init(\.index), .init(\.currentLeaderEpoch, since: 2), .init(\.leaderEpoch)]
    }

    var replicaId: Int32 = -2
    var topics: [ByTopic<Partition>] = []

    static let fields: Fields = [.init(\.replicaId, since: 3), .init(\.topics)]
}

/// The answer to ``OffsetForLeaderEpochRequest``.
struct OffsetForLeaderEpochResponse: WireStruct {
    struct Partition: WireStruct {
        var error = ErrorCode.none
        var index: Int32 = 0
        var leaderEpoch: Int32 = -1
        var endOffset: Int64 = -1

        static let fields: Fields = [
            .init(\.error), .init(\.index), .init(\.leaderEpoch, since: 1), .init(\.endOffset),
        ]
    }

    var throttleMs: Int32 = 0
    var topics: [ByTopic<Partition>] = []

    static let fields: Fields = [.init(\.throttleMs, since: 2), .init(\.topics)]
}
