/// OffsetCommit (key 8), versions 0–8.
struct OffsetCommitRequest: WireStruct {
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
        var offset: Int64 = 0
        var leaderEpoch: Int32 = -1
        var commitTimestamp: Int64 = -1
        var metadata: String?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            try coder.int64(&offset)
            if coder.version >= 6 { try coder.int32(&leaderEpoch) }
            if coder.version == 1 { try coder.int64(&commitTimestamp) }
            try coder.nullableString(&metadata)
            try coder.tags()
        }
    }

    var groupId = ""
    var generation: Int32 = -1
    var memberId = ""
    var groupInstanceId: String?
    var retentionTimeMs: Int64 = -1
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.string(&groupId)
        if coder.version >= 1 {
            try coder.int32(&generation)
            try coder.string(&memberId)
        }
        if coder.version >= 7 { try coder.nullableString(&groupInstanceId) }
        if (2...4).contains(coder.version) { try coder.int64(&retentionTimeMs) }
        try coder.array(&topics)
        try coder.tags()
    }
}

/// The answer to ``OffsetCommitRequest``.
struct OffsetCommitResponse: WireStruct {
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

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            try coder.error(&error)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 3 { try coder.int32(&throttleMs) }
        try coder.array(&topics)
        try coder.tags()
    }
}

/// OffsetFetch (key 9), versions 0–8; version 8 asks for several groups at once.
struct OffsetFetchRequest: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var partitions: [Int32] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.int32Array(&partitions)
            try coder.tags()
        }
    }

    struct Group: WireStruct {
        var groupId = ""
        /// Nil asks for every offset of the group.
        var topics: [Topic]?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&groupId)
            try coder.nullableArray(&topics)
            try coder.tags()
        }
    }

    /// One group before version 8.
    var groups: [Group] = []
    var requireStable = false

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 8 {
            try coder.array(&groups)
        } else {
            var group = groups.first ?? Group()
            try coder.string(&group.groupId)
            if coder.version >= 2 {
                try coder.nullableArray(&group.topics)
            } else {
                var topics = group.topics ?? []
                try coder.array(&topics)
                group.topics = topics
            }
            groups = [group]
        }
        if coder.version >= 7 { try coder.bool(&requireStable) }
        try coder.tags()
    }
}

/// The answer to ``OffsetFetchRequest``.
struct OffsetFetchResponse: WireStruct {
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
        var offset: Int64 = -1
        var leaderEpoch: Int32 = -1
        var metadata: String? = ""
        var error = ErrorCode.none

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            try coder.int64(&offset)
            if coder.version >= 5 { try coder.int32(&leaderEpoch) }
            try coder.nullableString(&metadata)
            try coder.error(&error)
            try coder.tags()
        }
    }

    struct Group: WireStruct {
        var groupId = ""
        var topics: [Topic] = []
        var error = ErrorCode.none

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&groupId)
            try coder.array(&topics)
            try coder.error(&error)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    /// One group before version 8.
    var groups: [Group] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 3 { try coder.int32(&throttleMs) }
        if coder.version >= 8 {
            try coder.array(&groups)
        } else {
            var group = groups.first ?? Group()
            try coder.array(&group.topics)
            if coder.version >= 2 { try coder.error(&group.error) }
            groups = [group]
        }
        try coder.tags()
    }
}
