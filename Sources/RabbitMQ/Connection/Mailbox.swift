import Synchronization

/// Commands from any task to the thread that owns a connection.
///
/// Bound: `capacity` commands. Senders await their answers, so that the number of commands is that of the tasks that wait;
/// the publisher bounds those by its window.
final class Mailbox<Command: Sendable>: Sendable {
    private struct State {
        var commands: [Command] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let wake: WakeDescriptor

    init(capacity: Int, wake: WakeDescriptor) {
        self.capacity = capacity
        self.wake = wake
    }

    /// False when the mailbox is closed or full; the command was not taken then.
    func send(_ command: Command) -> Bool {
        let (accepted, wasEmpty) = state.withLock { state in
            guard !state.isClosed, state.commands.count < capacity else { return (false, false) }
            state.commands.append(command)
            return (true, state.commands.count == 1)
        }
        if wasEmpty { wake.signal() }
        return accepted
    }

    func takeAll() -> [Command] {
        state.withLock { state in
            guard !state.commands.isEmpty else { return [] }
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// Takes no more commands; returns those that nobody has taken.
    func close() -> [Command] {
        state.withLock { state in
            state.isClosed = true
            defer { state.commands = [] }
            return state.commands
        }
    }
}
