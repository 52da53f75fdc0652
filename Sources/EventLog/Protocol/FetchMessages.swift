import NIOCore

/// Fetch (key 1), versions 4–12. Incremental sessions (KIP-227) are not kept: every answer has session id 0.
struct FetchRequest: WireStruct {
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
        var fetchOffset: Int64 = 0
        var lastFetchedEpoch: Int32 = -1
        var logStartOffset: Int64 = -1
        var maxBytes: Int32 = 0

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            if coder.version >= 9 { try coder.int32(&currentLeaderEpoch) }
            try coder.int64(&fetchOffset)
            if coder.version >= 12 { try coder.int32(&lastFetchedEpoch) }
            if coder.version >= 5 { try coder.int64(&logStartOffset) }
            try coder.int32(&maxBytes)
            try coder.tags()
        }
    }

    struct ForgottenTopic: WireStruct {
        var name = ""
        var partitions: [Int32] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.int32Array(&partitions)
            try coder.tags()
        }
    }

    var replicaId: Int32 = -1
    var maxWaitMs: Int32 = 0
    var minBytes: Int32 = 0
    var maxBytes: Int32 = .max
    var isolationLevel: Int8 = 0
    var sessionId: Int32 = 0
    var sessionEpoch: Int32 = -1
    var topics: [Topic] = []
    var forgotten: [ForgottenTopic] = []
    var rackId = ""

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.int32(&replicaId)
        try coder.int32(&maxWaitMs)
        try coder.int32(&minBytes)
        if coder.version >= 3 { try coder.int32(&maxBytes) }
        if coder.version >= 4 { try coder.int8(&isolationLevel) }
        if coder.version >= 7 {
            try coder.int32(&sessionId)
            try coder.int32(&sessionEpoch)
        }
        try coder.array(&topics)
        if coder.version >= 7 { try coder.array(&forgotten) }
        if coder.version >= 11 { try coder.string(&rackId) }
        try coder.tags()
    }
}

/// The answer to ``FetchRequest``.
struct FetchResponse: WireStruct {
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
        var highWatermark: Int64 = -1
        var lastStableOffset: Int64 = -1
        var logStartOffset: Int64 = -1
        var abortedTransactions: [AbortedTransaction]?
        var preferredReadReplica: Int32 = -1
        var records: ByteBuffer?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            try coder.error(&error)
            try coder.int64(&highWatermark)
            if coder.version >= 4 { try coder.int64(&lastStableOffset) }
            if coder.version >= 5 { try coder.int64(&logStartOffset) }
            if coder.version >= 4 { try coder.nullableArray(&abortedTransactions) }
            if coder.version >= 11 { try coder.int32(&preferredReadReplica) }
            try coder.nullableBytes(&records)
            try coder.tags()
        }
    }

    struct AbortedTransaction: WireStruct {
        var producerId: Int64 = 0
        var firstOffset: Int64 = 0

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int64(&producerId)
            try coder.int64(&firstOffset)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var sessionId: Int32 = 0
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        if coder.version >= 7 {
            try coder.error(&error)
            try coder.int32(&sessionId)
        }
        try coder.array(&topics)
        try coder.tags()
    }
}
