import NIOCore

/// Produce (key 0), versions 0–9; 0–2 are decoded only to be refused.
struct ProduceRequest: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var records: ByteBuffer?

        static let fields: Fields = [.init(\.index), .init(\.records)]
    }

    var transactionalId: String?
    var acks: Int16 = 0
    var timeoutMs: Int32 = 0
    var topics: [ByTopic<Partition>] = []

    static let fields: Fields = [
        .init(\.transactionalId, since: 3), .init(\.acks), .init(\.timeoutMs), .init(\.topics),
    ]
}

/// The answer to ``ProduceRequest``.
struct ProduceResponse: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var error = ErrorCode.none
        var baseOffset: Int64 = -1
        var logAppendTimeMs: Int64 = -1
        var logStartOffset: Int64 = -1
        var recordErrors: [RecordError] = []
        var errorMessage: String?

        static let fields: Fields = [
            .init(\.index), .init(\.error), .init(\.baseOffset), .init(\.logAppendTimeMs, since: 2),
            .init(\.logStartOffset, since: 5), .init(\.recordErrors, since: 8), .init(\.errorMessage, since: 8),
        ]
    }

    struct RecordError: WireStruct {
        var batchIndex: Int32 = 0
        var message: String?

        static let fields: Fields = [.init(\.batchIndex), .init(\.message)]
    }

    var topics: [ByTopic<Partition>] = []
    var throttleMs: Int32 = 0

    static let fields: Fields = [.init(\.topics), .init(\.throttleMs, since: 1)]
}

/// InitProducerId (key 22), versions 0–4.
struct InitProducerIdRequest: WireStruct {
    var transactionalId: String?
    var transactionTimeoutMs: Int32 = 0
    var producerId: Int64 = -1
    var producerEpoch: Int16 = -1

    static let fields: Fields = [
        .init(\.transactionalId), .init(\.transactionTimeoutMs), .init(\.producerId, since: 3),
        .init(\.producerEpoch, since: 3),
    ]
}

/// The answer to ``InitProducerIdRequest``.
struct InitProducerIdResponse: WireStruct {
    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var producerId: Int64 = -1
    var producerEpoch: Int16 = 0

    static let fields: Fields = [.init(\.throttleMs), .init(\.error), .init(\.producerId), .init(\.producerEpoch)]
}
