import Synchronization

/// The results of one `publish(_:)`, collected by the owner thread and awaited by the caller. Each index is completed once; what
/// comes after the caller has given up is ignored.
final class PublishCall: Sendable {
    private struct State {
        /// nil: not completed yet.
        var results: [RabbitMQPublishResult?]
        var remaining: Int
        var continuation: CheckedContinuation<[RabbitMQPublishResult], Never>?

        /// Whoever waits, once everything is complete.
        mutating func takeWaiter() -> (CheckedContinuation<[RabbitMQPublishResult], Never>, [RabbitMQPublishResult])? {
            guard remaining == 0, let continuation else { return nil }
            self.continuation = nil
            return (continuation, results.compactMap { $0 })
        }
    }

    private let state: Mutex<State>
    private let abandoned = Atomic(false)

    init(count: Int) {
        state = Mutex(State(results: Array(repeating: nil, count: count), remaining: count))
    }

    /// Whether the caller has given up: what has not been sent need not be, and nobody waits for a confirm.
    var isAbandoned: Bool { abandoned.load(ordering: .acquiring) }

    func complete(_ index: Int, _ result: RabbitMQPublishResult) {
        let finished = state.withLock { state in
            guard state.results[index] == nil else {
                return nil as (CheckedContinuation<[RabbitMQPublishResult], Never>, [RabbitMQPublishResult])?
            }
            state.results[index] = result
            state.remaining -= 1
            return state.takeWaiter()
        }
        if let (continuation, results) = finished { continuation.resume(returning: results) }
    }

    /// The caller gives up: what is not complete is ``RabbitMQPublishResult/unknown``, since it may be with the broker.
    func abandon() {
        abandoned.store(true, ordering: .releasing)
        let finished = state.withLock { state in
            for index in state.results.indices where state.results[index] == nil { state.results[index] = .unknown }
            state.remaining = 0
            return state.takeWaiter()
        }
        if let (continuation, results) = finished { continuation.resume(returning: results) }
    }

    /// Gives up after a while, in which the confirms may still come.
    func abandon(after grace: Duration) {
        guard grace > .zero else { return abandon() }
        Task {
            try? await Task.sleep(for: grace)
            abandon()
        }
    }

    func results() async -> [RabbitMQPublishResult] {
        await withCheckedContinuation { continuation in
            let finished = state.withLock { state in
                if state.remaining == 0 { return state.results.compactMap { $0 } as [RabbitMQPublishResult]? }
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
