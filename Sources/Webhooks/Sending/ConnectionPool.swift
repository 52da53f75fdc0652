import NIOCore
import Synchronization

/// What a connection is good for: the same name **and** the address that was checked.
struct ConnectionKey: Hashable, Sendable {
    let isSecure: Bool
    let host: String
    let port: Int
    let address: IPAddress

    init(url: WebhookURL, address: IPAddress) {
        isSecure = url.isSecure
        host = url.host
        port = url.port
        self.address = address
    }
}

/// Connections in use and idle ones. The lock is held for dictionary work only.
final class ConnectionPool: Sendable {
    private struct State {
        var idle: [ConnectionKey: [Connection]] = [:]
        var idleCount = 0
        var busy: [ObjectIdentifier: Connection] = [:]
        /// Being connected: not yet a ``Connection``, but to be closed with the others.
        var opening: [ObjectIdentifier: any Channel] = [:]
        var made = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let maximumIdle: Int
    private let idleTimeout: TimeAmount

    init(maximumIdle: Int, idleTimeout: TimeAmount) {
        self.maximumIdle = maximumIdle
        self.idleTimeout = idleTimeout
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    var made: Int { state.withLock { $0.made } }

    /// An idle connection, the one used last.
    func take(_ key: ConnectionKey) -> Connection? {
        state.withLock { state in
            guard !state.isClosed else { return nil }
            while let connection = state.idle[key]?.popLast() {
                state.idleCount -= 1
                if state.idle[key]?.isEmpty == true { state.idle[key] = nil }
                guard connection.isUsable else { continue }
                state.busy[ObjectIdentifier(connection)] = connection
                return connection
            }
            return nil
        }
    }

    /// Notes a channel that is about to be connected, so that closing the pool ends the attempt.
    /// - Returns: no when the pool is closed.
    func beginOpening(_ channel: any Channel) -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.opening[ObjectIdentifier(channel)] = channel
            return true
        }
    }

    /// Forgets a channel that has been connected, or never will be.
    func endOpening(_ id: ObjectIdentifier) { state.withLock { $0.opening[id] = nil } }

    /// Notes a new connection in use.
    /// - Returns: no when the pool is closed.
    func add(_ connection: Connection) -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.made += 1
            state.busy[ObjectIdentifier(connection)] = connection
            return true
        }
    }

    func giveBack(_ connection: Connection, reusable: Bool) {
        let kept = state.withLock { state in
            state.busy[ObjectIdentifier(connection)] = nil
            guard reusable, !state.isClosed, state.idleCount < maximumIdle, connection.isUsable else { return false }
            state.idle[connection.key, default: []].append(connection)
            state.idleCount += 1
            return true
        }
        guard kept else { return connection.close() }
        connection.rest(for: idleTimeout) { [weak self] connection in self?.drop(connection) }
    }

    /// Removes a connection that is still idle; nothing happens when it is in use again.
    private func drop(_ connection: Connection) {
        let isIdle = state.withLock { state in
            guard let index = state.idle[connection.key]?.firstIndex(where: { $0 === connection }) else { return false }
            state.idle[connection.key]?.remove(at: index)
            state.idleCount -= 1
            if state.idle[connection.key]?.isEmpty == true { state.idle[connection.key] = nil }
            return true
        }
        if isIdle { connection.close() }
    }

    /// Closes everything, also what is in use.
    func close() {
        let (connections, opening) = state.withLock { state in
            state.isClosed = true
            let all = Array(state.busy.values) + state.idle.values.flatMap { $0 }
            let opening = Array(state.opening.values)
            state.busy = [:]
            state.idle = [:]
            state.idleCount = 0
            state.opening = [:]
            return (all, opening)
        }
        for connection in connections { connection.close() }
        for channel in opening { channel.close(mode: .all, promise: nil) }
    }
}
