/// CreateTopics (key 19), versions 0–7.
struct CreateTopicsRequest: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var partitionCount: Int32 = -1
        var replicationFactor: Int16 = -1
        var assignments: [Assignment] = []
        var configs: [Config] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.int32(&partitionCount)
            try coder.int16(&replicationFactor)
            try coder.array(&assignments)
            try coder.array(&configs)
            try coder.tags()
        }
    }

    struct Assignment: WireStruct {
        var partition: Int32 = 0
        var brokers: [Int32] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&partition)
            try coder.int32Array(&brokers)
            try coder.tags()
        }
    }

    struct Config: WireStruct {
        var name = ""
        var value: String?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.nullableString(&value)
            try coder.tags()
        }
    }

    var topics: [Topic] = []
    var timeoutMs: Int32 = 0
    var validateOnly = false

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.array(&topics)
        try coder.int32(&timeoutMs)
        if coder.version >= 1 { try coder.bool(&validateOnly) }
        try coder.tags()
    }
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

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            if coder.version >= 7 { try coder.uuid(&id) }
            try coder.error(&error)
            if coder.version >= 1 { try coder.nullableString(&errorMessage) }
            if coder.version >= 5 {
                try coder.int32(&partitionCount)
                try coder.int16(&replicationFactor)
                try coder.nullableArray(&configs)
            }
            try coder.tags()
        }
    }

    struct Config: WireStruct {
        var name = ""
        var value: String?
        var isReadOnly = false
        var source: Int8 = -1
        var isSensitive = false

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.nullableString(&value)
            try coder.bool(&isReadOnly)
            try coder.int8(&source)
            try coder.bool(&isSensitive)
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

/// DeleteTopics (key 20), versions 0–6; version 6 names topics by name or by id.
struct DeleteTopicsRequest: WireStruct {
    struct Topic: WireStruct {
        var name: String?
        var id = TopicID.zero

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.nullableString(&name)
            try coder.uuid(&id)
            try coder.tags()
        }
    }

    var topics: [Topic] = []
    var timeoutMs: Int32 = 0

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 6 {
            try coder.array(&topics)
        } else {
            var names = topics.map { $0.name ?? "" }
            try coder.stringArray(&names)
            topics = names.map { Topic(name: $0) }
        }
        try coder.int32(&timeoutMs)
        try coder.tags()
    }
}

/// The answer to ``DeleteTopicsRequest``.
struct DeleteTopicsResponse: WireStruct {
    struct Topic: WireStruct {
        var name: String?
        var id = TopicID.zero
        var error = ErrorCode.none
        var errorMessage: String?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            if coder.version >= 6 {
                try coder.nullableString(&name)
                try coder.uuid(&id)
            } else {
                var text = name ?? ""
                try coder.string(&text)
                name = text
            }
            try coder.error(&error)
            if coder.version >= 5 { try coder.nullableString(&errorMessage) }
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        try coder.array(&topics)
        try coder.tags()
    }
}

/// CreatePartitions (key 37), versions 0–3.
struct CreatePartitionsRequest: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var count: Int32 = 0
        var assignments: [Assignment]?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.int32(&count)
            try coder.nullableArray(&assignments)
            try coder.tags()
        }
    }

    struct Assignment: WireStruct {
        var brokers: [Int32] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32Array(&brokers)
            try coder.tags()
        }
    }

    var topics: [Topic] = []
    var timeoutMs: Int32 = 0
    var validateOnly = false

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.array(&topics)
        try coder.int32(&timeoutMs)
        try coder.bool(&validateOnly)
        try coder.tags()
    }
}

/// The answer to ``CreatePartitionsRequest``.
struct CreatePartitionsResponse: WireStruct {
    struct Topic: WireStruct {
        var name = ""
        var error = ErrorCode.none
        var errorMessage: String?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.error(&error)
            try coder.nullableString(&errorMessage)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.int32(&throttleMs)
        try coder.array(&topics)
        try coder.tags()
    }
}

/// DeleteRecords (key 21), versions 0–2.
struct DeleteRecordsRequest: WireStruct {
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
        /// Records below this offset go; −1 means all that are readable.
        var offset: Int64 = 0

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            try coder.int64(&offset)
            try coder.tags()
        }
    }

    var topics: [Topic] = []
    var timeoutMs: Int32 = 0

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.array(&topics)
        try coder.int32(&timeoutMs)
        try coder.tags()
    }
}

/// The answer to ``DeleteRecordsRequest``.
struct DeleteRecordsResponse: WireStruct {
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
        var lowWatermark: Int64 = -1
        var error = ErrorCode.none

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int32(&index)
            try coder.int64(&lowWatermark)
            try coder.error(&error)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var topics: [Topic] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.int32(&throttleMs)
        try coder.array(&topics)
        try coder.tags()
    }
}
