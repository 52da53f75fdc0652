import Logging

/// Metadata keys of this module's log lines, each declared once.
enum KafkaLogKey {
    static let client = "kafka.client.id"
    static let facility = "kafka.library.facility"
    static let detail = "kafka.library.message"
    static let code = "kafka.error.code"
    static let sentence = "kafka.error.sentence"
    static let state = "kafka.broker.state"
    static let records = "kafka.records"
    static let partitions = "kafka.partitions"
    static let attempt = "kafka.attempt"
    static let lost = "kafka.assignment.lost"
}

extension Logger {
    /// Adds the client's name once.
    func forKafkaClient(_ clientID: String) -> Logger {
        var logger = self
        logger[metadataKey: KafkaLogKey.client] = .string(clientID)
        return logger
    }
}
