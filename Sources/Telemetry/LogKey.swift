public import Logging

/// The name of a field in log lines.
///
/// A constant message with fields is searchable; a sentence with values in it is not. Each module extends this type with the
/// names of its own things (`extension LogKey { static let orderID: LogKey = "order.id" }`), so that one thing has one name.
public struct LogKey: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name as it stands in the line: lowercase words with dots.
    public let rawValue: String

    /// Creates a key.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Creates a key.
    public init(stringLiteral value: String) { rawValue = value }

    /// The name.
    public var description: String { rawValue }

    /// Identity of the message at hand.
    public static let messageID: LogKey = "message.id"
    /// Type of the message at hand.
    public static let messageType: LogKey = "message.type"
    /// What the message belongs to.
    public static let correlationID: LogKey = "correlation.id"
    /// What caused the message.
    public static let causationID: LogKey = "causation.id"
    /// `rabbitmq` or `kafka`.
    public static let messagingSystem: LogKey = "messaging.system"
    /// Queue or topic.
    public static let destination: LogKey = "messaging.destination"
    /// Partition of a topic.
    public static let partition: LogKey = "messaging.partition"
    /// Offset in a partition.
    public static let offset: LogKey = "messaging.offset"
    /// Number of the attempt, from 1.
    public static let attempt: LogKey = "attempt"
    /// What was done with a message.
    public static let disposition: LogKey = "disposition"
    /// Milliseconds until the next attempt.
    public static let retryAfter: LogKey = "retry.after_ms"
    /// Stable kind of an error.
    public static let errorType: LogKey = "error.type"
    /// Failure class of an error.
    public static let errorClass: LogKey = "error.class"
    /// How long it took, in milliseconds.
    public static let duration: LogKey = "duration_ms"
    /// The trace.
    public static let traceID: LogKey = "trace_id"
    /// The span.
    public static let spanID: LogKey = "span_id"
    /// Identity of an HTTP request.
    public static let requestID: LogKey = "http.request.id"
    /// Method of an HTTP request.
    public static let httpMethod: LogKey = "http.method"
    /// Matched route of an HTTP request.
    public static let httpRoute: LogKey = "http.route"
    /// Status of an HTTP response.
    public static let httpStatus: LogKey = "http.status"
}

extension Logger {
    /// The field `key` of every line of this logger.
    public subscript(_ key: LogKey) -> Logger.MetadataValue? {
        get { self[metadataKey: key.rawValue] }
        set { self[metadataKey: key.rawValue] = newValue }
    }
}

extension Dictionary where Key == String, Value == Logger.MetadataValue {
    /// Fields for one line: `logger.info("settled", metadata: .fields([.messageID: "\(id)"]))`.
    public static func fields(_ fields: [LogKey: Logger.MetadataValue]) -> Logger.Metadata {
        var result: Logger.Metadata = [:]
        result.reserveCapacity(fields.count)
        for (key, value) in fields { result[key.rawValue] = value }
        return result
    }
}
