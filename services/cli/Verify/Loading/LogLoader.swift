import Commerce
import Kafka
import Logging
import Messaging

/// Reads the event log from offset 0 to its present end.
enum LogLoader {
    static func read(_ configuration: KafkaClientConfiguration, logger: Logger) async throws -> [LogRecord] {
        let reader = KafkaTopicReader(
            configuration: configuration,
            topics: Channels.allTopics,
            start: .beginning,
            mode: .untilEnd,
            logger: logger
        )
        var records: [LogRecord] = []
        for try await record in reader { records.append(LogRecord(record)) }
        return records
    }

    /// The end of each partition now.
    static func ends(_ configuration: KafkaClientConfiguration, logger: Logger) async throws -> [String: Int64] {
        try await withKafkaAdmin(configuration: configuration, logger: logger) { admin in
            var partitions: [KafkaTopicPartition] = []
            for topic in Channels.allTopics {
                partitions += (try await admin.topic(topic)?.partitions ?? []).map {
                    KafkaTopicPartition(topic: topic, partition: $0)
                }
            }
            let marks = try await admin.watermarks(partitions)
            return Dictionary(
                marks.map { ("\($0.key.topic)/\($0.key.partition)", $0.value.high) },
                uniquingKeysWith: max
            )
        }
    }
}

extension LogRecord {
    init(_ record: KafkaReceivedRecord) {
        let headers = record.headers.map { (name: $0.name, value: String(decoding: $0.value, as: UTF8.self)) }
        let envelope = try? EnvelopeHeaders.decode(headers, body: record.value ?? [])
        self.init(
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            key: record.key.map { String(decoding: $0, as: UTF8.self) },
            eventID: envelope?.id,
            type: envelope?.type ?? "",
            subject: envelope?.subject ?? "",
            sequence: envelope?.sequence ?? 0,
            causationID: envelope?.causationID,
            timeMilliseconds: envelope?.time.millisecondsSinceEpoch ?? 0,
            body: record.value ?? []
        )
    }
}
