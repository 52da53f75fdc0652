import Dispatch
import Logging
import Synchronization

/// Lifetime and threads of a consumer's or an admin's handle.
///
/// ```
/// idle ──start()──► starting ──handle made──► running ──shutdown()──► closing ──freed, or limit──► closed
///  │                   └──librdkafka refuses──────────────────────────────────────────────────► closed(error)
///  └──shutdown()─────────────────────────────────────────────────────────────────────────────► closed
/// ```
///
/// Three serial dispatch queues, all allowed to block: `loop` serves the main queue (logs, statistics, commit results) from start to
/// end, `fetching` polls records while somebody asks for them, `calls` carries blocking questions. Jobs are put on them only under the
/// lock and only while running, and `loop` waits for both before it gives the handle to `freeing`, which may outlive everything else.
final class ClientCore: Sendable {
    private enum Phase {
        case idle
        case starting
        case running(RDKafkaClient)
        case closing
        case closed(KafkaError?)
    }

    private struct State {
        var phase = Phase.idle
        var nextID: UInt = 0
        var ready: [UInt: CheckedContinuation<Void, any Error>] = [:]
        var closed: [CheckedContinuation<KafkaError?, Never>] = []
        var commits: [UInt: CheckedContinuation<Void, any Error>] = [:]
    }

    let events: ClientEvents
    let fetching: DispatchQueue
    let calls: DispatchQueue
    /// True from the wish to stop on: polls return early.
    let isStopping = Atomic(false)
    private let loop: DispatchQueue
    private let freeing: DispatchQueue
    private let state = Mutex(State())
    private let settings: [(String, String)]
    private let extra: [String: String]
    private let closeTimeout: Duration
    /// Runs on `loop` before the handle is freed: leaves the group.
    private let leave: (@Sendable (RDKafkaClient, ContinuousClock.Instant) -> Void)?

    /// Longest time that one turn of the loop waits. Wishes wake it at once; this only bounds the cost of a missed one.
    private static let turnMilliseconds = 250
    /// So long the freeing of the handle may take though the limit of closing has passed; typically it takes milliseconds.
    private static let freeingPatience: Duration = .milliseconds(500)

    init(
        role: String,
        settings: [(String, String)],
        extra: [String: String],
        closeTimeout: Duration,
        events: ClientEvents,
        leave: (@Sendable (RDKafkaClient, ContinuousClock.Instant) -> Void)? = nil
    ) throws(KafkaError) {
        // Names and values are checked here, where the caller can still be told; nothing is started.
        _ = try RDKafkaConfiguration(settings: settings, extra: extra)
        self.settings = settings
        self.extra = extra
        self.closeTimeout = closeTimeout
        self.events = events
        self.leave = leave
        loop = DispatchQueue(label: "kafka.\(role).loop")
        freeing = DispatchQueue(label: "kafka.\(role).freeing")
        fetching = DispatchQueue(label: "kafka.\(role).fetching")
        calls = DispatchQueue(label: "kafka.\(role).calls")
    }

    // MARK: lifetime

    /// Starts the handle and its threads. Throws where that was done before.
    func start() throws(KafkaError) {
        let refusal: KafkaError? = state.withLock { state in
            switch state.phase {
            case .idle:
                state.phase = .starting
                return nil
            case .starting, .running: return KafkaError(.alreadyRunning)
            case .closing, .closed: return KafkaError(.closed)
            }
        }
        if let refusal { throw refusal }
        loop.async { self.live() }
    }

    /// Asks for the end; returns at once.
    func shutdown() {
        isStopping.store(true, ordering: .releasing)
        let ended: Bool = state.withLock { state in
            switch state.phase {
            case .idle:
                state.phase = .closed(nil)
                return true
            case .running(let client):
                // Within the lock, so that the loop cannot free the handle meanwhile.
                state.phase = .closing
                client.wakeMain()
                client.wakeConsumer()
                return false
            case .starting, .closing, .closed: return false
            }
        }
        if ended { finish(nil) }
    }

    /// Waits until the handle is gone, or left to be freed by itself. Answers why it could not start, if so.
    func untilClosed() async -> KafkaError? {
        await withCheckedContinuation { continuation in
            let answer: KafkaError?? = state.withLock { state in
                if case .closed(let error) = state.phase { return .some(error) }
                state.closed.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// The whole life, as `run()` of a client.
    func run() async throws(KafkaError) {
        try start()
        let error = await withTaskCancellationHandler {
            await untilClosed()
        } onCancel: {
            shutdown()
        }
        if let error { throw error }
    }

    // MARK: calls

    /// Waits until the handle exists. Throws `closed`, the reason why there is none, or `CancellationError`.
    private func untilReady() async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let answer: Result<Void, any Error>? = state.withLock { state in
                    switch state.phase {
                    case .idle, .starting:
                        if Task.isCancelled { return .failure(CancellationError()) }
                        state.ready[id] = continuation
                        return nil
                    case .running: return .success(())
                    case .closing: return .failure(KafkaError(.closed))
                    case .closed(let error): return .failure(error ?? KafkaError(.closed))
                    }
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            state.withLock { $0.ready.removeValue(forKey: id) }?.resume(throwing: CancellationError())
        }
    }

    /// Carries out `body` on `queue` (by default `calls`), where it may block, and answers its result.
    func call<Answer: Sendable>(
        on queue: DispatchQueue? = nil,
        _ body: @escaping @Sendable (RDKafkaClient) throws -> Answer
    ) async throws -> Answer {
        try await untilReady()
        return try await withCheckedThrowingContinuation { continuation in
            let accepted = state.withLock { state in
                guard case .running(let client) = state.phase else { return false }
                (queue ?? calls).async {
                    continuation.resume(with: Result { try body(client) })
                }
                return true
            }
            if !accepted { continuation.resume(throwing: KafkaError(.closed)) }
        }
    }

    /// Carries out a quick, non-blocking `body` here and now; nil unless running.
    func peek<Answer>(_ body: (RDKafkaClient) -> Answer) -> Answer? {
        state.withLock { state in
            guard case .running(let client) = state.phase else { return nil }
            return body(client)
        }
    }

    /// Commits and waits for the broker's answer, which the library gives up on after the session timeout.
    func commit(_ nextOffsets: [KafkaTopicPartition: Int64]) async throws {
        try await untilReady()
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let refusal: KafkaError? = state.withLock { state in
                guard case .running(let client) = state.phase else { return KafkaError(.closed) }
                state.nextID += 1
                // Entered first: the answer comes on another thread, which then waits for this lock.
                state.commits[state.nextID] = continuation
                let code = client.commit(nextOffsets, token: state.nextID)
                guard code != .none else { return nil }
                state.commits[state.nextID] = nil
                return KafkaError(code, "Committing offsets: \(code.sentence)")
            }
            if let refusal { continuation.resume(throwing: refusal) }
        }
    }

    private func committed(_ token: UInt, _ code: KafkaErrorCode) {
        guard let continuation = state.withLock({ $0.commits.removeValue(forKey: token) }) else { return }
        if code == .none || code == .noOffset || code == .noOperation {
            events.answered()
            continuation.resume()
        } else {
            continuation.resume(throwing: KafkaError(code, "Committing offsets: \(code.sentence)"))
        }
    }

    // MARK: the loop's thread

    private func live() {
        let owner: ClientOwner
        do throws(KafkaError) {
            owner = ClientOwner(
                try RDKafkaClient(
                    leave == nil ? .admin : .consumer,
                    settings: settings,
                    extra: extra,
                    logLevel: events.libraryLogLevel
                )
            )
        } catch {
            events.logger.error(
                "Kafka client refused to start",
                metadata: [KafkaLogKey.sentence: .string(error.sentence)]
            )
            return finish(error)
        }
        let deadline = serve(owner)
        free(owner, by: deadline)
        finish(nil)
    }

    /// The handle's working life and its closing; the answer is when that had to be done. A function of its own, never merged into its
    /// caller: when it returns, this thread holds no reference to the client any more.
    @inline(never)
    private func serve(_ owner: ClientOwner) -> ContinuousClock.Instant {
        guard let client = owner.client else { return ContinuousClock.now }
        let ready: [CheckedContinuation<Void, any Error>] = state.withLock { state in
            // A wish to stop may have come while starting.
            state.phase = isStopping.load(ordering: .acquiring) ? .closing : .running(client)
            defer { state.ready.removeAll() }
            return Array(state.ready.values)
        }
        for waiter in ready { waiter.resume() }
        while !isStopping.load(ordering: .acquiring) {
            if let event = client.pollMain(milliseconds: Self.turnMilliseconds) { handle(event) }
        }
        return close(client)
    }

    /// Drops the owner's reference on a thread that nothing waits for: while an answer of a broker is outstanding, such as that to a
    /// commit, librdkafka's destruction waits for it beyond every limit of ours. The process may end meanwhile.
    private func free(_ owner: ClientOwner, by deadline: ContinuousClock.Instant) {
        let freed = DispatchGroup()
        freeing.async(group: freed) { owner.release() }
        let patience = max(deadline - ContinuousClock.now, Self.freeingPatience).wholeMilliseconds(1...300_000)
        if freed.wait(timeout: .now() + .milliseconds(patience)) == .timedOut {
            events.logger.warning("Kafka client is left to end by itself")
        }
    }

    private func handle(_ event: MainEvent) {
        if case .offsetsCommitted(let token, let code) = event {
            committed(token, code)
        } else {
            events.handle(event)
        }
    }

    private func close(_ client: RDKafkaClient) -> ContinuousClock.Instant {
        state.withLock { $0.phase = .closing }
        let deadline = ContinuousClock.now + closeTimeout
        client.wakeConsumer()
        // Jobs under way hold the handle; one that outlasts the limit frees it when it ends.
        let jobs = DispatchGroup()
        fetching.async(group: jobs) {}
        calls.async(group: jobs) {}
        while jobs.wait(timeout: .now() + .milliseconds(20)) == .timedOut, ContinuousClock.now < deadline {
            while let event = client.pollMain(milliseconds: 0) { handle(event) }
        }
        leave?(client, deadline)
        while let event = client.pollMain(milliseconds: 0) { handle(event) }
        return deadline
    }

    private func finish(_ error: KafkaError?) {
        let (ready, commits, closed) = state.withLock { state in
            state.phase = .closed(error)
            defer {
                state.ready.removeAll()
                state.commits.removeAll()
                state.closed.removeAll()
            }
            return (Array(state.ready.values), Array(state.commits.values), state.closed)
        }
        events.finish()
        for waiter in ready { waiter.resume(throwing: error ?? KafkaError(.closed)) }
        for waiter in commits { waiter.resume(throwing: KafkaError(.closed)) }
        for waiter in closed { waiter.resume(returning: error) }
    }
}

/// Holds the client's own reference, so that the thread which drops it can be chosen.
private final class ClientOwner: Sendable {
    private let held: Mutex<RDKafkaClient?>

    init(_ client: RDKafkaClient) { held = Mutex(client) }

    var client: RDKafkaClient? { held.withLock { $0 } }

    /// Drops the reference; blocks until the handle is freed if it was the last one.
    func release() { held.withLock { $0 = nil } }
}
