import NIOCore

/// Produce (key 0), versions 0–9; 0–2 are decoded only to be refused.
struct ProduceRequest: WireStruct {
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
        var records: ByteBuffer?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            try coder.nullableBytes(&records)
            try coder.tags()
        }
    }

    var transactionalId: String?
    var acks: Int16 = 0
    var timeoutMs: Int32 = 0
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 3 { try coder.nullableString(&transactionalId) }
        try coder.int16(&acks)
        try coder.int32(&timeoutMs)
        try coder.array(&topics)
        try coder.tags()
    }
}

/// The answer to ``ProduceRequest``.
struct ProduceResponse: WireStruct {
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
        var baseOffset: Int64 = -1
        var logAppendTimeMs: Int64 = -1
        var logStartOffset: Int64 = -1
        var recordErrors: [RecordError] = []
        var errorMessage: String?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            try coder.error(&error)
            try coder.int64(&baseOffset)
            if coder.version >= 2 { try coder.int64(&logAppendTimeMs) }
            if coder.version >= 5 { try coder.int64(&logStartOffset) }
            if coder.version >= 8 {
                try coder.array(&recordErrors)
                try coder.nullableString(&errorMessage)
            }
            try coder.tags()
        }
    }

    struct RecordError: WireStruct {
        var batchIndex: Int32 = 0
        var message: String?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&batchIndex)
            try coder.nullableString(&message)
            try coder.tags()
        }
    }

    var topics: [Topic] = []
    var throttleMs: Int32 = 0

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.array(&topics)
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        try coder.tags()
    }
}

/// InitProducerId (key 22), versions 0–4.
struct InitProducerIdRequest: WireStruct {
    var transactionalId: String?
    var transactionTimeoutMs: Int32 = 0
    var producerId: Int64 = -1
    var producerEpoch: Int16 = -1

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.nullableString(&transactionalId)
        try coder.int32(&transactionTimeoutMs)
        if coder.version >= 3 {
            try coder.int64(&producerId)
            try coder.int16(&producerEpoch)
        }
        try coder.tags()
    }
}

/// The answer to ``InitProducerIdRequest``.
struct InitProducerIdResponse: WireStruct {
    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var producerId: Int64 = -1
    var producerEpoch: Int16 = 0

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.int32(&throttleMs)
        try coder.error(&error)
        try coder.int64(&producerId)
        try coder.int16(&producerEpoch)
        try coder.tags()
    }
}
