public import StrictJSON
import Synchronization

/// What a process depends on, and whether each part is there.
///
/// Whoever notices a change says so here; `/health/ready` shows it. A board without dependencies is ready. Bound: 64 names.
/// Safe to use from any thread.
public final class ReadinessBoard: Sendable {
    /// One dependency.
    public struct Entry: Sendable, Hashable {
        /// Such as `database` or `rabbitmq`.
        public var name: String
        /// Whether it can be used.
        public var isReady: Bool
        /// Why not, in a few words; no secrets. Empty when ready.
        public var reason: String
    }

    private struct State {
        var entries: [Entry] = []
        var isStopping = false
    }

    private let state: Mutex<State>

    /// Most dependencies.
    public static let maxEntries = 64

    /// Creates a board on which each of `dependencies` is still missing.
    public init(_ dependencies: [String] = []) {
        state = Mutex(
            State(
                entries: dependencies.prefix(Self.maxEntries).map {
                    Entry(name: $0, isReady: false, reason: "starting")
                }
            )
        )
    }

    /// Says that `name` can be used.
    public func ready(_ name: String) { set(name, true, "") }

    /// Says that `name` cannot be used, and why.
    public func notReady(_ name: String, _ reason: String) { set(name, false, String(reason.prefix(200))) }

    /// Says that the process is going down: not ready from now on, whatever the dependencies do.
    public func stopping() { state.withLock { $0.isStopping = true } }

    /// All dependencies in the order in which they were named.
    public var entries: [Entry] { state.withLock { $0.entries } }

    /// Whether everything is there.
    public var isReady: Bool {
        state.withLock { state in !state.isStopping && state.entries.allSatisfy(\.isReady) }
    }

    /// The body of `/health/ready`.
    public var document: JSONValue {
        let (entries, stopping) = state.withLock { ($0.entries, $0.isStopping) }
        let ready = !stopping && entries.allSatisfy(\.isReady)
        let shown = entries.map { entry -> JSONValue in
            var object: JSONObject = ["name": .string(entry.name), "ready": .bool(entry.isReady)]
            if !entry.reason.isEmpty { object["reason"] = .string(entry.reason) }
            return .object(object)
        }
        let status = stopping ? "stopping" : ready ? "ready" : "not-ready"
        return ["status": .string(status), "dependencies": .array(shown)]
    }

    private func set(_ name: String, _ isReady: Bool, _ reason: String) {
        state.withLock { state in
            if let index = state.entries.firstIndex(where: { $0.name == name }) {
                state.entries[index].isReady = isReady
                state.entries[index].reason = reason
            } else if state.entries.count < Self.maxEntries {
                state.entries.append(Entry(name: name, isReady: isReady, reason: reason))
            }
        }
    }
}
