/// ListOffsets (key 2), versions 0–7.
struct ListOffsetsRequest: WireStruct {
    /// Timestamps with a meaning of their own.
    static let latest: Int64 = -1
    static let earliest: Int64 = -2
    static let maxTimestamp: Int64 = -3

    struct Topic: WireStruct {
        var name = ""
        var partitions: [Partition] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.array(&partitions)
            try coder.tags()
        }
    }

    struct Partition: WireStruct {
        var index: Int32 = 0
        var currentLeaderEpoch: Int32 = -1
        var timestamp: Int64 = 0
        var maxOffsets: Int32 = 1

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            if coder.version >= 4 { try coder.int32(&currentLeaderEpoch) }
            try coder.int64(&timestamp)
            if coder.version == 0 { try coder.int32(&maxOffsets) }
            try coder.tags()
        }
    }

    var replicaId: Int32 = -1
    var isolationLevel: Int8 = 0
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.int32(&replicaId)
        if coder.version >= 2 { try coder.int8(&isolationLevel) }
        try coder.array(&topics)
        try coder.tags()
    }
}

/// The answer to ``ListOffsetsRequest``.
struct ListOffsetsResponse: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var partitions: [Partition] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.array(&partitions)
            try coder.tags()
        }
    }

    struct Partition: WireStruct {
        var index: Int32 = 0
        var error = ErrorCode.none
        var oldStyleOffsets: [Int64] = []
        var timestamp: Int64 = -1
        var offset: Int64 = -1
        var leaderEpoch: Int32 = -1

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            try coder.error(&error)
            if coder.version == 0 {
                try coder.int64Array(&oldStyleOffsets)
            } else {
                try coder.int64(&timestamp)
                try coder.int64(&offset)
            }
            if coder.version >= 4 { try coder.int32(&leaderEpoch) }
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 2 { try coder.int32(&throttleMs) }
        try coder.array(&topics)
        try coder.tags()
    }
}

/// OffsetForLeaderEpoch (key 23), versions 0–4.
struct OffsetForLeaderEpochRequest: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var partitions: [Partition] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.array(&partitions)
            try coder.tags()
        }
    }

    struct Partition: WireStruct {
        var index: Int32 = 0
        var currentLeaderEpoch: Int32 = -1
        var leaderEpoch: Int32 = 0

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            if coder.version >= 2 { try coder.int32(&currentLeaderEpoch) }
            try coder.int32(&leaderEpoch)
            try coder.tags()
        }
    }

    var replicaId: Int32 = -2
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 3 { try coder.int32(&replicaId) }
        try coder.array(&topics)
        try coder.tags()
    }
}

/// The answer to ``OffsetForLeaderEpochRequest``.
struct OffsetForLeaderEpochResponse: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var partitions: [Partition] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.array(&partitions)
            try coder.tags()
        }
    }

    struct Partition: WireStruct {
        var error = ErrorCode.none
        var index: Int32 = 0
        var leaderEpoch: Int32 = -1
        var endOffset: Int64 = -1

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.error(&error)
            try coder.int32(&index)
            if coder.version >= 1 { try coder.int32(&leaderEpoch) }
            try coder.int64(&endOffset)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 2 { try coder.int32(&throttleMs) }
        try coder.array(&topics)
        try coder.tags()
    }
}
