/// DescribeConfigs (key 32), versions 0–4.
struct DescribeConfigsRequest: WireStruct {
    struct Resource: WireStruct {
        var type: Int8 = 0
        var name = ""
        /// Nil asks for every key.
        var keys: [String]?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.int8(&type)
            try coder.string(&name)
            try coder.nullableStringArray(&keys)
            try coder.tags()
        }
    }

    static let topicResource: Int8 = 2
    static let brokerResource: Int8 = 4

    var resources: [Resource] = []
    var includeSynonyms = false
    var includeDocumentation = false

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.array(&resources)
        if coder.version >= 1 { try coder.bool(&includeSynonyms) }
        if coder.version >= 3 { try coder.bool(&includeDocumentation) }
        try coder.tags()
    }
}

/// The answer to ``DescribeConfigsRequest``.
struct DescribeConfigsResponse: WireStruct {
    /// Where a value comes from.
    enum Source {
        static let topic: Int8 = 1
        static let staticBroker: Int8 = 4
        static let builtInDefault: Int8 = 5
    }

    struct Result: WireStruct {
        var error = ErrorCode.none
        var errorMessage: String?
        var type: Int8 = 0
        var name = ""
        var configs: [Config] = []

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.error(&error)
            try coder.nullableString(&errorMessage)
            try coder.int8(&type)
            try coder.string(&name)
            try coder.array(&configs)
            try coder.tags()
        }
    }

    struct Config: WireStruct {
        var name = ""
        var value: String?
        var isReadOnly = false
        var isDefault = false
        var source: Int8 = -1
        var isSensitive = false
        var synonyms: [Synonym] = []
        var type: Int8 = 0
        var documentation: String?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.nullableString(&value)
            try coder.bool(&isReadOnly)
            if coder.version == 0 { try coder.bool(&isDefault) }
            if coder.version >= 1 { try coder.int8(&source) }
            try coder.bool(&isSensitive)
            if coder.version >= 1 { try coder.array(&synonyms) }
            if coder.version >= 3 {
                try coder.int8(&type)
                try coder.nullableString(&documentation)
            }
            try coder.tags()
        }
    }

    struct Synonym: WireStruct {
        var name = ""
        var value: String?
        var source: Int8 = 0

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.nullableString(&value)
            try coder.int8(&source)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var results: [Result] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.int32(&throttleMs)
        try coder.array(&results)
        try coder.tags()
    }
}
