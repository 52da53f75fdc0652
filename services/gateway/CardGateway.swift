import Failpoints
public import Messaging
import Synchronization

/// The card gateway: decides operations, keeps its ledger, and misbehaves as the test cards ask.
///
/// One critical section decides, numbers and hands the line to the ledger's writer, so that the ledger's order is the order of
/// decisions; answers are given after the sync. Holds at most ``GatewayConfiguration/maximumHeld`` connections that get no
/// answer.
public final class CardGateway: Sendable {
    /// How an operation is answered.
    public enum Answer: Sendable, Hashable {
        /// With what was recorded.
        case recorded(LedgerEntry)
        /// With a body that cannot be read.
        case garbled
        /// With a problem.
        case problem(Problem)
        /// Not at all: the connection was held until the caller or the gateway lost patience.
        case silence
    }

    /// Why there is no recorded answer.
    public enum Problem: String, Error, Sendable, Hashable {
        case keyReused = "idempotency-key-reused"
        case inProgress = "operation-in-progress"
        case unavailable
        case ledgerFailed = "ledger-failed"
    }

    private struct State {
        var book: LedgerBook
        var lastHash: String
        /// Keys of operations that were taken on and are not recorded yet.
        var inProgress: Set<String>
        /// How often each key met a flaky card.
        var flaky: [String: Int] = [:]
        var held = 0
        var counts: [GatewayOperation: [GatewayResult: Int64]] = [:]
    }

    private let state: Mutex<State>
    private let file: LedgerFile
    private let journal: LateJournal
    private let configuration: GatewayConfiguration
    private let clock: any WallClock
    private let callbacks: any CallbackSink
    private let late: AsyncThrowingStream<LateJournal.Pending, any Error>
    private let lateInput: AsyncThrowingStream<LateJournal.Pending, any Error>.Continuation
    private let patience = Patience()

    /// Opens the ledger and the journal beside it.
    /// - Throws: ``LedgerFault`` with a sentence that says what is wrong with the files.
    public init(
        configuration: GatewayConfiguration,
        clock: any WallClock,
        callbacks: any CallbackSink
    ) throws(LedgerFault) {
        let (file, book, lastHash) = try LedgerFile.open(path: configuration.ledgerPath)
        let (journal, pending) = try LateJournal.open(path: configuration.ledgerPath + ".late") {
            book.entry(forKey: $0) != nil
        }
        self.file = file
        self.journal = journal
        self.configuration = configuration
        self.clock = clock
        self.callbacks = callbacks
        state = Mutex(State(book: book, lastHash: lastHash, inProgress: Set(pending.map(\.key))))
        (late, lateInput) = AsyncThrowingStream.makeStream(bufferingPolicy: .bufferingOldest(Self.maximumLate))
        for capture in pending.prefix(Self.maximumLate) { lateInput.yield(capture) }
    }

    /// The most captures that may be waiting to land.
    public static let maximumLate = 10_000
    /// The most keys whose flaky answers are counted; then counting starts anew.
    static let maximumFlaky = 100_000

    /// Lands late captures when their time has come. Runs until cancelled; what has not landed by then stays in the journal.
    /// - Throws: ``LedgerFault`` once the ledger or the journal could not be written. What they hold is uncertain then, and only
    ///   opening them again tells: the process ends, and the next one begins with what is on the disk.
    public func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for try await capture in late {
                group.addTask { [self] in
                    let wait = capture.due.milliseconds(since: clock.now())
                    guard await patience.pause(milliseconds: max(0, wait)) else { return }
                    await land(capture)
                }
            }
        }
    }

    /// Lets go of every connection that is being held, and of everything else that waits. For shutdown.
    public func releaseEverything() {
        patience.end()
        lateInput.finish()
    }

    /// Writes what waits and closes the ledger. Blocks for one sync.
    public func close() {
        releaseEverything()
        file.close()
    }

    // MARK: Operations

    /// Carries an operation out.
    public func perform(_ request: OperationRequest) async -> Answer {
        switch begin(request) {
        case .failure(let problem): return .problem(problem)
        case .success(.known(let entry, let behaviour)): return await answer(entry, behaviour, isNew: false)
        case .success(.recorded(let entry, let behaviour)): return await answer(entry, behaviour, isNew: true)
        case .success(.slow): return await performSlowly(request)
        case .success(.late(let authorization)): return await takeOnLate(request, authorization)
        }
    }

    /// What was recorded under a key; `nil` while nothing is. Only what is on disk is told.
    public func operation(forKey key: String) async throws -> LedgerEntry? {
        guard let entry = state.withLock({ $0.book.entry(forKey: key) }) else { return nil }
        try await file.waitUntilDurable(entry.seq)
        return entry
    }

    /// Lines of the ledger after a number, whole, as they are in the file.
    public func ledger(after seq: Int64, limit: Int) async throws -> [UInt8] {
        try await file.lines(after: seq, limit: limit)
    }

    private enum Beginning {
        case known(LedgerEntry, CardBehaviour)
        case recorded(LedgerEntry, CardBehaviour)
        case slow
        case late(authorization: String)
    }

    private func begin(_ request: OperationRequest) -> Result<Beginning, Problem> {
        state.withLock { state in
            let card = state.book.card(of: request) ?? ""
            let behaviour = CardBehaviour.of(card: card, operation: request.operation)
            if let entry = state.book.entry(forKey: request.key) {
                guard state.book.matches(entry, request) else { return .failure(.keyReused) }
                return .success(.known(entry, behaviour))
            }
            guard !state.inProgress.contains(request.key) else { return .failure(.inProgress) }
            switch behaviour {
            case .flaky:
                if state.flaky.count >= Self.maximumFlaky { state.flaky = [:] }
                let failures = state.flaky[request.key, default: 0]
                guard failures >= CardBehaviour.flakyFailures else {
                    state.flaky[request.key] = failures + 1
                    return .failure(.unavailable)
                }
                state.flaky[request.key] = nil
            case .slow:
                state.inProgress.insert(request.key)
                return .success(.slow)
            case .late:
                if case .capture(let name) = request.content {
                    guard state.inProgress.count < Self.maximumLate else { return .failure(.unavailable) }
                    state.inProgress.insert(request.key)
                    return .success(.late(authorization: name))
                }
            case .prompt, .declines, .silent, .garbled: break
            }
            return record(request, behaviour, in: &state).map { .recorded($0, behaviour) }
        }
    }

    private func record(
        _ request: OperationRequest,
        _ behaviour: CardBehaviour,
        landsLate: Bool = false,
        in state: inout State
    ) -> Result<LedgerEntry, Problem> {
        guard file.isAccepting else { return .failure(.ledgerFailed) }
        var decline: String?
        if case .declines(let reason) = behaviour { decline = reason }
        let entry = state.book.record(request, decline: decline, landsLate: landsLate, at: clock.now())
        let (line, hash) = entry.line(after: state.lastHash)
        state.lastHash = hash
        state.counts[entry.operation, default: [:]][entry.result, default: 0] += 1
        do throws(LedgerFault) {
            try file.append(line, seq: entry.seq)
        } catch {
            return .failure(.ledgerFailed)
        }
        return .success(entry)
    }

    private func answer(_ entry: LedgerEntry, _ behaviour: CardBehaviour, isNew: Bool) async -> Answer {
        do {
            try await file.waitUntilDurable(entry.seq)
        } catch {
            lateInput.finish(throwing: error)
            return .problem(.ledgerFailed)
        }
        Failpoints.reach("card.before-answer", about: [entry.reference])
        if isNew { announce(entry, answered: behaviour.answersNormally) }
        switch behaviour {
        case .silent:
            await hold()
            return .silence
        case .garbled: return .garbled
        case .prompt, .declines, .flaky, .slow, .late: return .recorded(entry)
        }
    }

    private func performSlowly(_ request: OperationRequest) async -> Answer {
        let waited = await patience.pause(milliseconds: configuration.slowMilliseconds)
        let result: Result<LedgerEntry, Problem> = state.withLock { state in
            state.inProgress.remove(request.key)
            return waited ? record(request, .slow, in: &state) : .failure(.unavailable)
        }
        switch result {
        case .success(let entry): return await answer(entry, .slow, isNew: true)
        case .failure(let problem): return .problem(problem)
        }
    }

    private func takeOnLate(_ request: OperationRequest, _ authorization: String) async -> Answer {
        let capture = LateJournal.Pending(
            key: request.key,
            authorization: authorization,
            due: clock.now().advanced(byMilliseconds: configuration.lateMilliseconds)
        )
        do {
            try await journal.add(capture)
        } catch {
            state.withLock { _ = $0.inProgress.remove(request.key) }
            lateInput.finish(throwing: error)
            return .problem(.ledgerFailed)
        }
        Failpoints.reach("card.late.after-journal")
        lateInput.yield(capture)
        await hold()
        return .silence
    }

    private func land(_ capture: LateJournal.Pending) async {
        Failpoints.reach("card.late.before-landing")
        let request = OperationRequest(key: capture.key, content: .capture(authorization: capture.authorization))
        let result = state.withLock { state in
            state.inProgress.remove(capture.key)
            return record(request, .late, landsLate: true, in: &state)
        }
        guard case .success(let entry) = result else { return }
        do {
            try await file.waitUntilDurable(entry.seq)
        } catch {
            return lateInput.finish(throwing: error)
        }
        Failpoints.reach("card.late.after-landing", about: [entry.reference])
        announce(entry, answered: false)
    }

    /// Captures and refunds are always announced, other operations where the caller may not have heard.
    private func announce(_ entry: LedgerEntry, answered: Bool) {
        switch entry.operation {
        case .capture, .refund: callbacks.submit(entry)
        case .authorize: if !answered { callbacks.submit(entry) }
        case .void: break
        }
    }

    /// Keeps a caller waiting. Beyond the bound it is turned away at once, which is no answer either.
    private func hold() async {
        let isTaken = state.withLock { state in
            guard state.held < configuration.maximumHeld else { return false }
            state.held += 1
            return true
        }
        guard isTaken else { return }
        _ = await patience.pause(milliseconds: configuration.holdMilliseconds)
        state.withLock { $0.held -= 1 }
    }

    // MARK: Seen from outside

    /// Figures for metrics.
    public struct Statistics: Sendable {
        /// Operations recorded since the start, by operation and result.
        public let counts: [(operation: GatewayOperation, result: GatewayResult, count: Int64)]
        /// Connections that are being held.
        public let held: Int
        /// Operations that were taken on and are not recorded yet.
        public let inProgress: Int
        /// The number of the last line.
        public let lastSeq: Int64
    }

    /// Figures for metrics.
    public var statistics: Statistics {
        state.withLock { state in
            let counts = GatewayOperation.allCases.flatMap { operation in
                GatewayResult.allCases.map { (operation, $0, state.counts[operation]?[$0] ?? 0) }
            }
            return Statistics(
                counts: counts,
                held: state.held,
                inProgress: state.inProgress.count,
                lastSeq: state.book.lastSeq
            )
        }
    }

    /// Why the gateway can record nothing any more; `nil` while it can.
    public var failure: LedgerFault? { file.failure }
}
