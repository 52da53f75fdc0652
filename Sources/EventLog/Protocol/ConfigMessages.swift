/// DescribeConfigs (key 32), versions 0–4.
struct DescribeConfigsRequest: WireStruct {
    struct Resource: WireStruct {
        var type: Int8 = 0
        var name = ""
        /// Nil asks for every key.
        var keys: [String]?

        static let fields: Fields = [.init(\.type), .init(\.name), .init(\.keys)]
    }

    static let topicResource: Int8 = 2
    static let brokerResource: Int8 = 4

    var resources: [Resource] = []
    var includeSynonyms = false
    var includeDocumentation = false

    static let fields: Fields = [
        .init(\.resources), .init(\.includeSynonyms, since: 1), .init(\.includeDocumentation, since: 3),
    ]
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

        static let fields: Fields = [
            .init(\.error), .init(\.errorMessage), .init(\.type), .init(\.name), .init(\.configs),
        ]
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

        static let fields: Fields = [
            .init(\.name), .init(\.value), .init(\.isReadOnly), .init(\.isDefault, until: 0), .init(\.source, since: 1),
            .init(\.isSensitive), .init(\.synonyms, since: 1), .init(\.type, since: 3),
            .init(\.documentation, since: 3),
        ]
    }

    struct Synonym: WireStruct {
        var name = ""
        var value: String?
        var source: Int8 = 0

        static let fields: Fields = [.init(\.name), .init(\.value), .init(\.source)]
    }

    var throttleMs: Int32 = 0
    var results: [Result] = []

    static let fields: Fields = [.init(\.throttleMs), .init(\.results)]
}
