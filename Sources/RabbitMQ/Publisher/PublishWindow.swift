import Synchronization

/// How much may be under way at once: a count and a number of bytes, given out in the order of asking.
///
/// This is the only bound of the publisher's memory: what has no room here stays with its caller. A single demand larger than
/// the whole window gets the whole window. Waiters are bounded by their tasks.
final class PublishWindow: Sendable {
    private struct Waiter {
        let id: Int
        let count: Int
        let bytes: Int
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var usedCount = 0
        var usedBytes = 0
        var isClosed = false
        var nextID = 0
        var waiters = FIFO<Waiter>()

        mutating func admit(_ count: Int, _ bytes: Int, _ maximumCount: Int, _ maximumBytes: Int) -> Bool {
            // Zero use always admits, so that a demand larger than the window is not stuck for ever.
            guard usedCount == 0 || (usedCount + count <= maximumCount && usedBytes + bytes <= maximumBytes) else {
                return false
            }
            usedCount += count
            usedBytes += bytes
            return true
        }
    }

    private let state = Mutex(State())
    let maximumCount: Int
    let maximumBytes: Int

    init(maximumCount: Int, maximumBytes: Int) {
        self.maximumCount = max(maximumCount, 1)
        self.maximumBytes = max(maximumBytes, 1)
    }

    /// Waits for room. False when the window closed, the deadline passed (see ``expire(at:)``) or the task was cancelled.
    func acquire(count: Int, bytes: Int, deadline: ContinuousClock.Instant) async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                let immediate: Bool? = state.withLock { state in
                    if state.isClosed || Task.isCancelled { return false }
                    if state.waiters.isEmpty, state.admit(count, bytes, maximumCount, maximumBytes) { return true }
                    state.waiters.append(
                        Waiter(id: id, count: count, bytes: bytes, deadline: deadline, continuation: continuation)
                    )
                    return nil
                }
                if let immediate { continuation.resume(returning: immediate) }
            }
        } onCancel: {
            resume(false) { $0.id == id }
        }
    }

    func release(count: Int, bytes: Int) {
        guard count > 0 else { return }
        let admitted = state.withLock { state in
            state.usedCount -= count
            state.usedBytes -= bytes
            var admitted: [Waiter] = []
            while let first = state.waiters.first, state.admit(first.count, first.bytes, maximumCount, maximumBytes) {
                if let waiter = state.waiters.popFirst() { admitted.append(waiter) }
            }
            return admitted
        }
        for waiter in admitted { waiter.continuation.resume(returning: true) }
    }

    /// Turns away those who have waited too long. Called regularly by the owner thread.
    func expire(at now: ContinuousClock.Instant) { resume(false) { $0.deadline <= now } }

    /// Turns away everyone, now and later.
    func close() {
        state.withLock { $0.isClosed = true }
        resume(false) { _ in true }
    }

    private func resume(_ value: Bool, where predicate: @Sendable (Waiter) -> Bool) {
        let waiters = state.withLock { state in
            state.waiters.isEmpty ? [] : state.waiters.remove(where: predicate)
        }
        for waiter in waiters { waiter.continuation.resume(returning: value) }
    }
}
