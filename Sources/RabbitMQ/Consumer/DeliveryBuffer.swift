import Synchronization

/// Deliveries that have arrived and that nobody has pulled yet, and the tasks that wait for some.
///
/// Bound: the sum of the prefetches, which the ``AckLedger`` of each channel enforces. Emptied when the connection is lost.
final class DeliveryBuffer: Sendable {
    private struct Waiter {
        let id: Int
        let maximum: Int
        let continuation: CheckedContinuation<[RabbitMQDelivery], Never>
    }

    private struct State {
        var deliveries = FIFO<RabbitMQDelivery>()
        var waiters = FIFO<Waiter>()
        var epoch: UInt64 = 0
        var isPaused = false
        var isClosed = false
        var nextID = 0

        /// Pairs waiting tasks with deliveries.
        mutating func match() -> [(Waiter, [RabbitMQDelivery])] {
            var matched: [(Waiter, [RabbitMQDelivery])] = []
            while !isPaused, !isClosed, !deliveries.isEmpty, let waiter = waiters.popFirst() {
                matched.append((waiter, deliveries.popFirst(waiter.maximum)))
            }
            return matched
        }
    }

    private let state = Mutex(State())

    /// The epoch of the connection that is up, 0 when none is.
    var currentEpoch: UInt64 { state.withLock { $0.epoch } }

    /// A new connection is up, or none (0): what the old one brought is void.
    func begin(epoch: UInt64) {
        state.withLock { state in
            state.epoch = epoch
            _ = state.deliveries.removeAll()
        }
    }

    func append(_ deliveries: [RabbitMQDelivery]) {
        change { $0.deliveries.append(contentsOf: deliveries) }
    }

    var isPaused: Bool {
        get { state.withLock { $0.isPaused } }
        set { change { $0.isPaused = newValue } }
    }

    /// Ends all pulling: those who wait get nothing.
    func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            return state.waiters.removeAll()
        }
        for waiter in waiters { waiter.continuation.resume(returning: []) }
    }

    /// What nobody has pulled; to be given back to the broker.
    func takeLeftovers() -> [RabbitMQDelivery] { state.withLock { $0.deliveries.removeAll() } }

    /// Waits for at least one delivery; empty when closed.
    func next(_ maximum: Int) async throws -> [RabbitMQDelivery] {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let deliveries = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<[RabbitMQDelivery], Never>) in
                let immediate: [RabbitMQDelivery]? = state.withLock { state in
                    if state.isClosed || Task.isCancelled { return [] }
                    if !state.isPaused, state.waiters.isEmpty, !state.deliveries.isEmpty {
                        return state.deliveries.popFirst(maximum)
                    }
                    state.waiters.append(Waiter(id: id, maximum: maximum, continuation: continuation))
                    return nil
                }
                if let immediate { continuation.resume(returning: immediate) }
            }
        } onCancel: {
            let waiters = state.withLock { $0.waiters.remove { $0.id == id } }
            for waiter in waiters { waiter.continuation.resume(returning: []) }
        }
        // What was pulled is handed over even to a cancelled task: it must settle it.
        if deliveries.isEmpty { try Task.checkCancellation() }
        return deliveries
    }

    private func change(_ body: (inout State) -> Void) {
        let matched = state.withLock { state in
            body(&state)
            return state.match()
        }
        for (waiter, deliveries) in matched { waiter.continuation.resume(returning: deliveries) }
    }
}
