/// A topic's settings, under the names that Apache Kafka gives them.
struct TopicSettings: Equatable, Sendable {
    enum Kind: Int8 {
        case string = 2
        case int = 3
        case long = 5
        case list = 7
    }

    struct Definition: Sendable {
        let name: String
        let kind: Kind
        let documentation: String
        let isAllowed: @Sendable (String) -> Bool
    }

    /// The largest segment: positions in the index have 32 bits, and preallocation follows this size.
    static let maxSegmentBytes = 1 << 30

    static let definitions: [Definition] = [
        .init(name: "cleanup.policy", kind: .list, documentation: "Only delete; compaction is not implemented.") {
            $0 == "delete"
        },
        .init(name: "compression.type", kind: .string, documentation: "Batches are stored as producers send them.") {
            $0 == "producer"
        },
        .init(name: "max.message.bytes", kind: .int, documentation: "The largest batch.") { isInt($0, 0...(64 << 20)) },
        .init(
            name: "message.timestamp.type",
            kind: .string,
            documentation: "CreateTime keeps the producer's times, LogAppendTime writes the server's."
        ) { $0 == "CreateTime" || $0 == "LogAppendTime" },
        .init(name: "min.insync.replicas", kind: .int, documentation: "There is one replica.") { isInt($0, 1...1) },
        .init(name: "retention.bytes", kind: .long, documentation: "Size above which old segments go; -1: never.") {
            isInt($0, -1...(.max))
        },
        .init(name: "retention.ms", kind: .long, documentation: "Age above which old segments go; -1: never.") {
            isInt($0, -1...(.max))
        },
        .init(name: "segment.bytes", kind: .int, documentation: "Size at which a new segment begins.") {
            isInt($0, 14...Int64(maxSegmentBytes))
        },
        .init(name: "segment.ms", kind: .long, documentation: "Age at which a new segment begins.") {
            isInt($0, 1...(.max))
        },
    ]

    /// Values set for the topic itself.
    private(set) var overrides: [String: String] = [:]
    private let defaults: [String: String]

    init(defaults: [String: String], overrides: [String: String] = [:]) {
        self.defaults = defaults
        self.overrides = overrides
    }

    /// The defaults of a server.
    static func defaults(_ server: EventLogConfiguration) -> [String: String] {
        [
            "cleanup.policy": "delete", "compression.type": "producer",
            "max.message.bytes": "\(server.maxMessageBytes)", "message.timestamp.type": "CreateTime",
            "min.insync.replicas": "1", "retention.bytes": "\(server.retentionBytes)",
            "retention.ms": "\(server.retentionMs)", "segment.bytes": "\(server.segmentBytes)",
            "segment.ms": "604800000",
        ]
    }

    func value(_ name: String) -> String? { overrides[name] ?? defaults[name] }
    private func number(_ name: String) -> Int64 { value(name).flatMap { Int64($0) } ?? -1 }

    var maxMessageBytes: Int { Int(number("max.message.bytes")) }
    var segmentBytes: Int { Int(number("segment.bytes")) }
    var segmentMs: Int64 { number("segment.ms") }
    var retentionMs: Int64 { number("retention.ms") }
    var retentionBytes: Int64 { number("retention.bytes") }
    var stampsAppendTime: Bool { value("message.timestamp.type") == "LogAppendTime" }

    /// What is wrong with a setting, or nil.
    static func problem(_ name: String, _ value: String?) -> String? {
        guard let definition = definitions.first(where: { $0.name == name }) else {
            return "Unknown topic config name: \(name.prefix(100))"
        }
        guard let value, definition.isAllowed(value) else {
            return "Invalid value \(value.map { "\($0.prefix(100))" } ?? "null") for configuration \(name)"
        }
        return nil
    }

    private static func isInt(_ text: String, _ range: ClosedRange<Int64>) -> Bool {
        // No longer than any number is: zeros may lead, but not fill a log.
        text.utf8.count <= 20 && Int64(text).map(range.contains) ?? false
    }
}
