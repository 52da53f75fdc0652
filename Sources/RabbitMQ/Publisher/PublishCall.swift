import Synchronization

/// The results of one `publish(_:)`, collected by the owner thread and awaited by the caller. Each index is completed once.
final class PublishCall: Sendable {
    private struct State {
        var results: [RabbitMQPublishResult]
        var remaining: Int
        var continuation: CheckedContinuation<[RabbitMQPublishResult], Never>?
    }

    private let state: Mutex<State>

    init(count: Int) {
        state = Mutex(State(results: Array(repeating: .notConnected, count: count), remaining: count))
    }

    func complete(_ index: Int, _ result: RabbitMQPublishResult) {
        let finished = state.withLock { state in
            state.results[index] = result
            state.remaining -= 1
            guard state.remaining == 0, let continuation = state.continuation else {
                return nil as (CheckedContinuation<[RabbitMQPublishResult], Never>, [RabbitMQPublishResult])?
            }
            state.continuation = nil
            return (continuation, state.results)
        }
        if let (continuation, results) = finished { continuation.resume(returning: results) }
    }

    func results() async -> [RabbitMQPublishResult] {
        await withCheckedContinuation { continuation in
            let finished = state.withLock { state in
                if state.remaining == 0 { return state.results as [RabbitMQPublishResult]? }
                state.continuation = continuation
                return nil
            }
            if let finished { continuation.resume(returning: finished) }
        }
    }
}

/// A part of a call that has room in the window, on its way to the owner thread.
struct PublishCommand: Sendable {
    let call: PublishCall
    let entries: [(index: Int, message: RabbitMQMessage)]
    let deadline: ContinuousClock.Instant
}

extension RabbitMQMessage {
    /// What a message counts for in the window: its body and an estimate of the rest.
    var windowCost: Int { body.count + 256 + properties.headers.count * 64 }

    /// Why the message cannot be sent, found without a connection; nil when it can be tried.
    func problem(maximumSize: Int) -> RabbitMQPublishResult? {
        if body.count > maximumSize { return .tooLarge(limit: maximumSize) }
        if exchange.utf8.count > 255 { return .invalid("the exchange name is longer than 255 bytes") }
        if routingKey.utf8.count > 255 { return .invalid("the routing key is longer than 255 bytes") }
        return nil
    }
}
