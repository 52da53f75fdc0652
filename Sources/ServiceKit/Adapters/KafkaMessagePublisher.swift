public import Kafka
public import Messaging

/// The relay's port to the event log: a message is confirmed only by the delivery report of an `acks=all` write.
public struct KafkaMessagePublisher: MessagePublisher {
    private let producer: KafkaProducer

    /// Makes the adapter; the producer's `run()` is the caller's business.
    public init(_ producer: KafkaProducer) {
        self.producer = producer
    }

    public func publish(_ messages: [OutgoingMessage]) async -> [PublishOutcome] {
        var outcomes = [PublishOutcome](repeating: .failed(wrongTransport), count: messages.count)
        var indexes: [Int] = []
        var batch: [KafkaRecord] = []
        for (index, message) in messages.enumerated() {
            guard let record = KafkaMessages.record(for: message) else { continue }
            indexes.append(index)
            batch.append(record)
        }
        for (index, result) in zip(indexes, await producer.publish(batch)) {
            outcomes[index] = outcome(of: result)
        }
        return outcomes
    }
}

private let wrongTransport = Failure(.poison, code: "wrong-transport", "The destination is not a topic.")

/// The class of each way in which a publish can end. `possiblyPersisted` is sent again: readers absorb the duplicate.
private func outcome(of result: KafkaPublishResult) -> PublishOutcome {
    switch result {
    case .persisted:
        .confirmed
    case .notPersisted(let code), .possiblyPersisted(let code):
        if result.shouldPublishAgain {
            .failed(Failure(.retryable, code: "unacknowledged", "The event log did not acknowledge: \(code)."))
        } else {
            .failed(Failure(.poison, code: "publish-refused", "The event log refused the record for good: \(code)."))
        }
    case .tooLarge:
        .failed(Failure(.poison, code: "too-large", "The record is larger than the event log accepts."))
    case .fatal(let code):
        .failed(Failure(.fatal, code: "producer-unusable", "The producer cannot be used: \(code)."))
    }
}
