import NIOCore

/// Fetch (key 1), versions 4–12. Incremental sessions (KIP-227) are not kept: every answer has session id 0.
struct FetchRequest: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var currentLeaderEpoch: Int32 = -1
        var fetchOffset: Int64 = 0
        /// The epoch of the record before `fetchOffset`, from readers that look for divergence (KIP-595); −1: not asked.
        var lastFetchedEpoch: Int32 = -1
        var logStartOffset: Int64 = -1
        var maxBytes: Int32 = 0

        static let fields: Fields = [
            .init(\.index), .init(\.currentLeaderEpoch, since: 9), .init(\.fetchOffset),
            .init(\.lastFetchedEpoch, since: 12), .init(\.logStartOffset, since: 5), .init(\.maxBytes),
        ]
    }

    var replicaId: Int32 = -1
    var maxWaitMs: Int32 = 0
    var minBytes: Int32 = 0
    var maxBytes: Int32 = .max
    var isolationLevel: Int8 = 0
    var sessionId: Int32 = 0
    var sessionEpoch: Int32 = -1
    var topics: [ByTopic<Partition>] = []
    var forgotten: [ByTopic<Int32>] = []
    var rackId = ""

    static let fields: Fields = [
        .init(\.replicaId), .init(\.maxWaitMs), .init(\.minBytes), .init(\.maxBytes), .init(\.isolationLevel),
        .init(\.sessionId, since: 7), .init(\.sessionEpoch, since: 7), .init(\.topics), .init(\.forgotten, since: 7),
        .init(\.rackId, since: 11),
    ]
}

/// The answer to ``FetchRequest``.
struct FetchResponse: WireStruct {
    struct Partition: WireStruct {
        var index: Int32 = 0
        var error = ErrorCode.none
        var highWatermark: Int64 = -1
        var lastStableOffset: Int64 = -1
        var logStartOffset: Int64 = -1
        var abortedTransactions: [AbortedTransaction]?
        var preferredReadReplica: Int32 = -1
        var records: ByteBuffer?
        /// Set when the reader's log and this one part ways before the offset that was asked for.
        var divergingEpoch: EpochEnd?

        static let fields: Fields = [
            .init(\.index), .init(\.error), .init(\.highWatermark), .init(\.lastStableOffset),
            .init(\.logStartOffset, since: 5), .init(\.abortedTransactions), .init(\.preferredReadReplica, since: 11),
            .init(\.records),
        ]
        static let taggedFields: [WireTag<Self>] = [.init(0, \.divergingEpoch)]
    }

    struct EpochEnd: WireStruct, Equatable {
        var epoch: Int32 = -1
        var endOffset: Int64 = -1

        static let fields: Fields = [.init(\.epoch), .init(\.endOffset)]
    }

    struct AbortedTransaction: WireStruct {
        var producerId: Int64 = 0
        var firstOffset: Int64 = 0

        static let fields: Fields = [.init(\.producerId), .init(\.firstOffset)]
    }

    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var sessionId: Int32 = 0
    var topics: [ByTopic<Partition>] = []

    static let fields: Fields = [
        .init(\.throttleMs), .init(\.error, since: 7), .init(\.sessionId, since: 7), .init(\.topics),
    ]
}
