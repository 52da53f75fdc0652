import Synchronization

/// Wakes whoever sits in it: the runner is made after what wakes it.
final class WakeSlot: Sendable {
    /// The closure stands in a struct of its own because a generic `Mutex` re-wraps a bare function value in one more thunk each time
    /// that it is read: every call would be a little slower than the one before, until the stack ends.
    private struct Action: Sendable {
        let run: @Sendable () -> Void
    }

    private let action = Mutex(Action {})

    func set(_ new: @escaping @Sendable () -> Void) {
        action.withLock { $0 = Action(run: new) }
    }

    func wake() {
        let current = action.withLock { $0 }
        current.run()
    }
}
