import Glibc

/// One probe in flight on a non-blocking socket to 127.0.0.1.
struct ProbeAttempt {
    /// The time for one try, from connecting to the last byte.
    static let timeLimit: Duration = .milliseconds(2000)

    private enum Phase {
        case connecting
        case reading
    }

    let descriptor: Int32
    let startedAt: MonotonicTime
    private let target: ProbeTarget
    private var phase = Phase.connecting
    private var response = ProbeResponse()

    /// Begins to connect.
    ///
    /// - Throws: ``SupervisionError`` when no socket can be had or the connection is refused at once.
    init(_ target: ProbeTarget, at now: MonotonicTime) throws(SupervisionError) {
        self.target = target
        startedAt = now
        let type = Int32(bitPattern: SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = socket(AF_INET, type, 0)
        guard descriptor >= 0 else { throw SupervisionError("no socket: \(Files.errorText())") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = target.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 || errno == EINPROGRESS else {
            let text = Files.errorText()
            close(descriptor)
            throw SupervisionError(text)
        }
    }

    /// What `poll` should wait for.
    var events: Int16 { Int16(phase == .connecting ? POLLOUT : POLLIN) }

    /// Goes on after the socket became ready; the outcome when the try is over.
    mutating func proceed() -> ProbeOutcome? {
        if phase == .connecting {
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
            guard code == 0 else { return .silent(Files.errorText(code)) }
            if target.kind == .tcp { return .answered(ready: true, statusCode: nil, detail: "") }
            // A request of some hundred bytes always fits into the empty buffer of a new connection.
            let request = target.request
            guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
                return .silent(Files.errorText())
            }
            phase = .reading
            return nil
        }
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR ? nil : .silent(Files.errorText()) }
        if count == 0 { return response.outcome }
        response.append(chunk[..<count])
        return response.isComplete ? response.outcome : nil
    }

    /// The outcome once ``timeLimit`` is over.
    func timedOut(at now: MonotonicTime) -> ProbeOutcome? {
        guard now - startedAt >= Self.timeLimit else { return nil }
        let milliseconds = Self.timeLimit.wholeMilliseconds
        // A status line without the end of the body is an answer all the same: somebody wrote it.
        if response.statusCode != nil { return response.outcome }
        return .silent("timed out after \(milliseconds) ms")
    }

    /// Closes the socket.
    func end() {
        close(descriptor)
    }
}
