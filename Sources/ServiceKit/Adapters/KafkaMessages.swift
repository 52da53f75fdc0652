public import Kafka
public import Messaging

/// Envelopes to and from records: CloudEvents' Kafka binding, binary mode; the key is the subject.
enum KafkaMessages {
    /// The record to publish for an outgoing message; `nil` when its destination is not a topic.
    static func record(for outgoing: OutgoingMessage) -> KafkaRecord? {
        guard case .topic(let topic) = outgoing.destination else { return nil }
        let envelope = outgoing.envelope
        var headers = EnvelopeHeaders.encode(envelope).map { KafkaHeader($0.name, Array($0.value.utf8)) }
        for (name, value) in outgoing.extraHeaders.sorted(by: { $0.key < $1.key }) {
            headers.append(KafkaHeader(name, Array(value.utf8)))
        }
        return KafkaRecord(
            topic: topic,
            key: Array(envelope.subject.utf8),
            value: envelope.body,
            headers: headers,
            timestampMilliseconds: envelope.time.millisecondsSinceEpoch
        )
    }
}

extension ReceivedMessage {
    /// A record of the event log as it arrived.
    public init(record: KafkaReceivedRecord) {
        self.init(
            source: .record(topic: record.topic, partition: record.partition, offset: record.offset),
            headers: record.headers.map { ($0.name, String(decoding: $0.value, as: UTF8.self)) },
            body: record.value ?? []
        )
    }
}
