import NIOCore
import Synchronization

/// A number of bytes that many connections share. Who does not get its bytes at once is called back, first come first
/// served, when others have given theirs back.
///
/// Thread-safe; callbacks run on the thread that gives back.
final class ByteBudget: Sendable {
    private struct Waiting {
        var bytes: Int
        var grant: @Sendable () -> Void
    }

    private struct State {
        var free: Int
        var waiting: [Waiting] = []
    }

    let limit: Int
    private let state: Mutex<State>

    init(limit: Int) {
        self.limit = limit
        state = Mutex(State(free: limit))
    }

    /// Takes bytes now (true), or calls `grant` later, with the bytes taken. A request above the limit is cut to it.
    func take(_ bytes: Int, grant: @escaping @Sendable () -> Void) -> Bool {
        let bytes = min(bytes, limit)
        return state.withLock { state in
            if state.waiting.isEmpty, state.free >= bytes {
                state.free -= bytes
                return true
            }
            state.waiting.append(Waiting(bytes: bytes, grant: grant))
            return false
        }
    }

    /// Takes up to `bytes`, maybe none, without waiting.
    func takeUpTo(_ bytes: Int) -> Int {
        state.withLock { state in
            guard state.waiting.isEmpty else { return 0 }
            let taken = max(0, min(bytes, state.free))
            state.free -= taken
            return taken
        }
    }

    func giveBack(_ bytes: Int) {
        let bytes = min(bytes, limit)
        let granted = state.withLock { state -> [@Sendable () -> Void] in
            state.free += bytes
            var granted: [@Sendable () -> Void] = []
            while let first = state.waiting.first, state.free >= first.bytes {
                state.free -= first.bytes
                granted.append(first.grant)
                state.waiting.removeFirst()
            }
            return granted
        }
        for grant in granted { grant() }
    }

    var used: Int { state.withLock { limit - $0.free } }
}
