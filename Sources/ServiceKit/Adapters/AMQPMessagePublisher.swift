public import Messaging
public import RabbitMQ

/// The relay's port to RabbitMQ: a message is confirmed only when the broker confirmed it and did not return it.
public struct AMQPMessagePublisher: MessagePublisher {
    private let publisher: RabbitMQPublisher

    /// Makes the adapter; the publisher's `run()` is the caller's business.
    public init(_ publisher: RabbitMQPublisher) {
        self.publisher = publisher
    }

    public func publish(_ messages: [OutgoingMessage]) async -> [PublishOutcome] {
        var outcomes = [PublishOutcome](repeating: .failed(wrongTransport), count: messages.count)
        var indexes: [Int] = []
        var batch: [RabbitMQMessage] = []
        for (index, message) in messages.enumerated() {
            guard let encoded = AMQPMessages.message(for: message) else { continue }
            indexes.append(index)
            batch.append(encoded)
        }
        for (index, result) in zip(indexes, await publisher.publish(batch)) {
            outcomes[index] = outcome(of: result)
        }
        return outcomes
    }
}

private let wrongTransport = Failure(.poison, code: "wrong-transport", "The destination is not an AMQP exchange.")

/// The class of each way in which a publish can end.
private func outcome(of result: RabbitMQPublishResult) -> PublishOutcome {
    switch result {
    case .confirmed:
        .confirmed
    case .returned(let code, let text):
        .failed(Failure(.retryable, code: "unroutable", "The broker returned the message: \(code) \(text)."))
    case .nacked:
        .failed(Failure(.retryable, code: "queue-full", "The broker refused the message; its queue is probably full."))
    case .noExchange(let text):
        .failed(Failure(.retryable, code: "no-exchange", "The receiver has not declared its exchange yet: \(text)."))
    case .refused(let code, let text):
        .failed(Failure(.retryable, code: "publish-refused", "The broker refused the publish: \(code) \(text)."))
    case .notConnected:
        .failed(Failure(.retryable, code: "not-connected", "There is no connection to the broker."))
    case .unknown:
        .failed(Failure(.retryable, code: "unconfirmed", "The connection was lost before the broker confirmed."))
    case .tooLarge(let limit):
        .failed(Failure(.poison, code: "too-large", "The message is larger than \(limit) bytes."))
    case .invalid(let reason):
        .failed(Failure(.poison, code: "unencodable", "The message cannot be encoded: \(reason)."))
    }
}
