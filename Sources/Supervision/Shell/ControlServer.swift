import Glibc

/// The control socket: line JSON in, line JSON out. Bounded: 8 connections, 4 KiB per line, 10 s of life per connection.
///
/// Who may connect is decided by the file system: the run directory is private and the socket has mode 0600.
struct ControlServer {
    private static let connectionLimit = 8
    private static let lifetime: Duration = .seconds(10)

    private struct Connection {
        var descriptor: Int32
        var openedAt: MonotonicTime
        var input: [UInt8] = []
    }

    private let listener: Int32
    private var connections: [Connection] = []

    /// Listens in the working directory, replacing a socket left behind (the caller holds the directory's lock).
    init() throws(SupervisionError) {
        unlink(RunDirectory.socketName)
        listener = try Self.socket()
        let bound = Self.withAddress { bind(listener, $0, $1) }
        guard bound == 0, chmod(RunDirectory.socketName, 0o600) == 0, listen(listener, 16) == 0 else {
            let text = Files.errorText()
            close(listener)
            throw SupervisionError("cannot listen on \(RunDirectory.socketName): \(text)")
        }
    }

    /// A non-blocking UNIX socket.
    static func socket() throws(SupervisionError) -> Int32 {
        let type = Int32(bitPattern: SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = Glibc.socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw SupervisionError("no socket: \(Files.errorText())") }
        return descriptor
    }

    /// Calls with the address of the control socket in the working directory.
    static func withAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: RunDirectory.socketName.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// What to poll for reading.
    var descriptors: [Int32] { [listener] + connections.map(\.descriptor) }

    /// Accepts, reads and answers whatever is there.
    mutating func proceed(at now: MonotonicTime, _ answer: (ControlRequest) -> [UInt8]) {
        while connections.count < Self.connectionLimit {
            let accepted = accept(listener, nil, nil)
            guard accepted >= 0 else { break }
            Files.makePrivate(accepted)
            connections.append(Connection(descriptor: accepted, openedAt: now))
        }
        var kept: [Connection] = []
        for var connection in connections {
            if now - connection.openedAt < Self.lifetime, serve(&connection, answer) {
                kept.append(connection)
            } else {
                close(connection.descriptor)
            }
        }
        connections = kept
    }

    /// Stops listening and removes the socket.
    func end() {
        for connection in connections { close(connection.descriptor) }
        close(listener)
        unlink(RunDirectory.socketName)
    }

    /// Whether the connection stays open.
    private func serve(_ connection: inout Connection, _ answer: (ControlRequest) -> [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = recv(connection.descriptor, &chunk, chunk.count, 0)
            if count == 0 { return false }
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            connection.input.append(contentsOf: chunk[..<count])
            while let end = connection.input.firstIndex(of: 0x0a) {
                let line = Array(connection.input[..<end])
                connection.input.removeSubrange(...end)
                guard reply(to: line, on: connection.descriptor, answer) else { return false }
            }
            guard connection.input.count <= ControlCommand.lineLimit else { return false }
        }
    }

    private func reply(to line: [UInt8], on descriptor: Int32, _ answer: (ControlRequest) -> [UInt8]) -> Bool {
        let bytes: [UInt8]
        do {
            bytes = answer(try JSONText.decode(ControlRequest.self, from: line, named: "command"))
        } catch {
            bytes = JSONText.encode(ControlReply(ok: false, message: error.description))
        }
        // The answer fits the socket's buffer (64 entries of some hundred bytes); a peer that does not read loses its connection.
        let whole = bytes + [0x0a]
        return send(descriptor, whole, whole.count, Int32(MSG_NOSIGNAL)) == whole.count
    }
}
