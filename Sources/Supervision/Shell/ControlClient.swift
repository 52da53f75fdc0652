import Glibc

/// Sends one command to the supervisor of a run directory.
struct ControlClient {
    let directory: RunDirectory

    /// Sends the command and returns the answer's line.
    ///
    /// - Throws: ``SupervisionError`` when no supervisor listens, or it does not answer within 5 s.
    func send(_ request: ControlRequest) throws(SupervisionError) -> [UInt8] {
        try directory.enter()
        let descriptor = try ControlServer.socket()
        defer { close(descriptor) }
        guard ControlServer.withAddress({ connect(descriptor, $0, $1) }) == 0 else {
            throw SupervisionError("no supervisor is running for \(directory.path)")
        }
        let line = JSONText.encode(request) + [0x0a]
        guard Glibc.send(descriptor, line, line.count, Int32(MSG_NOSIGNAL)) == line.count else {
            throw SupervisionError("the supervisor of \(directory.path) did not take the command")
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let end = SupervisorClock.now() + .seconds(5)
        while SupervisorClock.now() < end {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, 200)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { break }
            if count < 0 { continue }
            answer.append(contentsOf: chunk[..<count])
            if let newline = answer.firstIndex(of: 0x0a) { return Array(answer[..<newline]) }
            if answer.count > 1 << 20 { break }
        }
        throw SupervisionError("the supervisor of \(directory.path) did not answer")
    }
}
