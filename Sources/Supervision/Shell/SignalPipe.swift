import Glibc

/// Turns SIGTERM, SIGINT, SIGHUP and SIGCHLD into bytes of a pipe that the loop polls.
///
/// A thread of its own waits for the signals, which are blocked everywhere; so no code runs in a signal handler.
struct SignalPipe {
    /// The end to poll.
    let descriptor: Int32

    /// Blocks the signals in the calling thread (and all it creates later) and starts the thread.
    init() throws(SupervisionError) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            throw SupervisionError("cannot make a pipe: \(Files.errorText())")
        }
        for end in ends { Files.makePrivate(end) }
        descriptor = ends[0]
        var signals = Self.signals
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        var thread = pthread_t()
        let context = UnsafeMutableRawPointer(bitPattern: Int(ends[1]))
        let code = pthread_create(
            &thread,
            nil,
            { context in
                let descriptor = Int32(truncatingIfNeeded: Int(bitPattern: context))
                var signals = SignalPipe.signals
                var number: Int32 = 0
                while true {
                    guard sigwait(&signals, &number) == 0 else { continue }
                    // A full pipe holds wake-ups enough; TERM and INT are rare and come through.
                    var byte = UInt8(truncatingIfNeeded: number)
                    _ = write(descriptor, &byte, 1)
                }
            },
            context
        )
        guard code == 0 else { throw SupervisionError("cannot start a thread: \(Files.errorText(code))") }
        pthread_detach(thread)
    }

    /// The signals that have come since the last call.
    func drain() -> Set<Int32> {
        var chunk = [UInt8](repeating: 0, count: 256)
        var numbers: Set<Int32> = []
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count <= 0 { return numbers }
            for byte in chunk[..<count] { numbers.insert(Int32(byte)) }
        }
    }

    private static var signals: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP, SIGCHLD] { sigaddset(&set, number) }
        return set
    }
}
