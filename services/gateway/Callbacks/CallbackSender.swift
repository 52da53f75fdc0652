import Failpoints
public import Messaging
import StrictJSON
import Synchronization

/// Tells the merchant by signed callbacks: after a while, a few times until it is taken, now and then twice on purpose.
///
/// Lives in memory: what is not delivered when the process ends is lost, as callbacks may be. Holds at most
/// ``maximumWaiting`` callbacks; more are dropped and counted.
public final class CallbackSender: CallbackSink {
    /// Sends one attempt and returns the status code.
    public typealias Send =
        @Sendable (_ headers: [(name: String, value: String)], _ body: [UInt8]) async throws -> Int

    /// The most callbacks that wait.
    public static let maximumWaiting = 20_000
    /// The pauses after failed attempts, in milliseconds.
    static let pauses: [Int64] = [500, 2000, 5000, 15_000]

    private struct State {
        var waiting = 0
        var dropped: Int64 = 0
        var delivered: Int64 = 0
        var failed: Int64 = 0
        var random: SplitMix
    }

    private let state: Mutex<State>
    private let signer: CallbackSigner
    private let send: Send
    private let clock: any WallClock
    private let delay: Int64
    private let duplicates: Int
    private let stream: AsyncStream<LedgerEntry>
    private let input: AsyncStream<LedgerEntry>.Continuation
    private let patience = Patience()

    /// Makes a sender; ``run()`` does the work.
    ///
    /// - Parameters:
    ///   - delay: about how long after the operation, in milliseconds.
    ///   - duplicates: how many of 100 are sent twice.
    ///   - seed: decides which.
    public init(
        signer: CallbackSigner,
        clock: any WallClock,
        delay: Int64,
        duplicates: Int,
        seed: UInt64,
        send: @escaping Send
    ) {
        self.signer = signer
        self.clock = clock
        self.delay = delay
        self.duplicates = duplicates
        self.send = send
        state = Mutex(State(random: SplitMix(state: seed)))
        (stream, input) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.maximumWaiting))
    }

    public func submit(_ entry: LedgerEntry) {
        let isTaken = state.withLock { state in
            guard state.waiting < Self.maximumWaiting else {
                state.dropped += 1
                return false
            }
            state.waiting += 1
            return true
        }
        if isTaken { input.yield(entry) }
    }

    /// Delivers until ``end()``.
    public func run() async {
        await withDiscardingTaskGroup { group in
            for await entry in stream {
                group.addTask { [self] in
                    await deliver(entry)
                    state.withLock { $0.waiting -= 1 }
                }
            }
        }
    }

    /// Stops; what waits is forgotten.
    public func end() {
        input.finish()
        patience.end()
    }

    /// What became of callbacks since the start.
    public var counts: (delivered: Int64, failed: Int64, dropped: Int64, waiting: Int) {
        state.withLock { ($0.delivered, $0.failed, $0.dropped, $0.waiting) }
    }

    private func deliver(_ entry: LedgerEntry) async {
        let (jitter, isTwice) = state.withLock { state in
            (Int64(state.random.next() % UInt64(max(1, delay))), state.random.next() % 100 < UInt64(duplicates))
        }
        guard await patience.pause(milliseconds: delay / 2 + jitter) else { return }
        let (id, body) = Self.message(about: entry)
        for attempt in 0...Self.pauses.count {
            Failpoints.reach("card.callback.before-send", about: [entry.reference])
            if await isDelivered(id, body) {
                Failpoints.reach("card.callback.after-send", about: [entry.reference])
                state.withLock { $0.delivered += 1 }
                if isTwice { _ = await isDelivered(id, body) }
                return
            }
            guard attempt < Self.pauses.count, await patience.pause(milliseconds: Self.pauses[attempt]) else { break }
        }
        state.withLock { $0.failed += 1 }
    }

    /// The id and the body of the callback about an entry: the same on every attempt.
    package static func message(about entry: LedgerEntry) -> (id: String, body: [UInt8]) {
        let body = StrictJSON.encode(
            [
                "data": entry.document, "timestamp": .string(entry.at.description),
                "type": .string("card.\(entry.operation.rawValue).\(entry.result.rawValue)"),
            ] as JSONValue
        )
        return ("cb_\(entry.seq)", body)
    }

    private func isDelivered(_ id: String, _ body: [UInt8]) async -> Bool {
        let headers = signer.headers(id: id, body: body, at: clock.now()) + [("content-type", "application/json")]
        guard let status = try? await send(headers, body) else { return false }
        return (200..<300).contains(status)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed, the same bits.
struct SplitMix: Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
