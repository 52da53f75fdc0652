import Dispatch
import Synchronization

/// Blocking lookups on a few threads, at most one per host.
///
/// The name server of a dead zone answers after many seconds. If each attempt had a lookup of its own, the attempts at one such host would
/// take all threads, and those at healthy hosts wait behind them until their deadlines. So whoever asks for a host that is being looked up
/// joins, and a host that nobody waits for any more loses its place in the line.
///
/// Bounds: `slots` threads; waiters are bounded by their tasks, the line by its waiters.
final class SharedLookups: Sendable {
    private struct Lookup {
        var isRunning = false
        var waiters: [Int: CheckedContinuation<[IPAddress], Never>] = [:]
    }

    private struct State {
        var nextID = 0
        var running = 0
        var lookups: [String: Lookup] = [:]
        /// Hosts that wait for a thread, in the order of asking; each has a lookup.
        var line: [String] = []

        /// The next host to be looked up, if there is a thread for it.
        mutating func start(_ slots: Int) -> String? {
            guard running < slots, !line.isEmpty else { return nil }
            let host = line.removeFirst()
            running += 1
            lookups[host]?.isRunning = true
            return host
        }
    }

    private let state = Mutex(State())
    private let threads = DispatchQueue(label: "webhooks.resolver", attributes: .concurrent)
    private let slots: Int
    private let lookUp: @Sendable (String) -> [IPAddress]

    init(slots: Int, _ lookUp: @escaping @Sendable (String) -> [IPAddress]) {
        self.slots = slots
        self.lookUp = lookUp
    }

    /// How many wait for an answer.
    var waiting: Int { state.withLock { state in state.lookups.values.reduce(0) { $0 + $1.waiters.count } } }

    /// The addresses of a host, by a lookup that was under way or by a new one; empty when it has none or the task is cancelled.
    func addresses(of host: String) async -> [IPAddress] {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<[IPAddress], Never>) in
                let (isWaiting, next): (Bool, String?) = state.withLock { state in
                    if Task.isCancelled { return (false, nil) }
                    if state.lookups[host] == nil { state.line.append(host) }
                    state.lookups[host, default: Lookup()].waiters[id] = continuation
                    return (true, state.start(slots))
                }
                if !isWaiting { continuation.resume(returning: []) }
                if let next { run(next) }
            }
        } onCancel: {
            leave(id, host)
        }
    }

    private func leave(_ id: Int, _ host: String) {
        let waiter = state.withLock { state in
            let waiter = state.lookups[host]?.waiters.removeValue(forKey: id)
            if let lookup = state.lookups[host], !lookup.isRunning, lookup.waiters.isEmpty {
                state.lookups[host] = nil
                state.line.removeAll { $0 == host }
            }
            return waiter
        }
        waiter?.resume(returning: [])
    }

    /// Looks hosts up, one after the other, on a thread that may block.
    private func run(_ first: String) {
        threads.async { [self] in
            var next: String? = first
            while let host = next {
                let addresses = lookUp(host)
                let (waiters, following) = state.withLock { state in
                    state.running -= 1
                    let waiters = state.lookups.removeValue(forKey: host).map { Array($0.waiters.values) } ?? []
                    return (waiters, state.start(slots))
                }
                for waiter in waiters { waiter.resume(returning: addresses) }
                next = following
            }
        }
    }
}
