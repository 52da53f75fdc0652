import Synchronization

/// Wakes whoever sits in it: the runner is made after what wakes it.
final class WakeSlot: Sendable {
    private let action = Mutex<@Sendable () -> Void>({})

    func set(_ new: @escaping @Sendable () -> Void) {
        action.withLock { $0 = new }
    }

    func wake() {
        let current = action.withLock { $0 }
        current()
    }
}
