import Commerce
public import DurableStore
import Failpoints
public import Messaging
public import PaymentCore
import Synchronization

/// Makes the calls to the gateway: a row first, then the call, then a row.
///
/// ```
/// due row ──► its breaker open? ──yes──► put off
///                  │ no
///    prepared: store `calling` ──► call ──► store what the answer means
///    calling:                      call ──►
///    unknown:      look up ──not found, window open──► call ──►
///    abandoned:    look up ──────────────────────────────────►
/// ```
///
/// At most `concurrency` exchanges are under way. A crash at any point leaves a row that is looked at again: ``recover()``
/// turns what may have been sent into `unknown`, and that is asked for by key before anything is repeated. So is a call whose outcome
/// could not be stored, because the disk was full, say.
public final class IntentRunner: Sendable {
    private let store: DurableStore
    private let gateway: any CardGatewayClient
    private let gate: GatewayGate
    private let policy: IntentPolicy
    private let clock: any WallClock
    private let observer: any PaymentObserver
    private let alarm = WakeSlot()
    private let concurrency: Int
    private let failurePause: Duration
    /// Calls whose outcome could not be stored: their rows do not say that they may have been taken. At most `concurrency` for each
    /// time that the store fails, and recovered before the next exchange.
    private let unsettled = Mutex<Set<String>>([])

    /// Makes a runner.
    ///
    /// - Parameters:
    ///   - concurrency: the most exchanges at the same time.
    ///   - failurePause: how long an item rests when its row could not be stored.
    public init(
        store: DurableStore,
        gateway: any CardGatewayClient,
        gate: GatewayGate,
        policy: IntentPolicy = IntentPolicy(),
        clock: any WallClock,
        observer: any PaymentObserver = NoObserver(),
        concurrency: Int = 64,
        failurePause: Duration = .seconds(1)
    ) {
        self.store = store
        self.gateway = gateway
        self.gate = gate
        self.policy = policy
        self.clock = clock
        self.observer = observer
        self.concurrency = concurrency
        self.failurePause = failurePause
    }

    /// Makes the runner look for work. Cheap; call it after each commit that made some.
    public func wake() { alarm.wake() }

    /// Takes over from the process before: whatever was being called is now unknown. Before ``run()``.
    /// - Returns: how many intents that were.
    @discardableResult
    public func recover() async throws -> Int {
        try await store.write { tx in try IntentTable.recover(at: tx.now, in: tx.db) }
    }

    /// Works until the task is cancelled, then waits for the exchanges that are under way.
    public func run() async throws {
        let store = store
        let runner = DueWorkRunner<DueIntent>(
            name: "gateway",
            concurrency: concurrency,
            // Under load a look takes several intents; alone one does not wait.
            spacing: .milliseconds(2),
            fetchDue: { now, limit, excluding in
                try await store.read { db in try IntentTable.due(at: now, limit: limit, excluding: excluding, in: db) }
            },
            nextDue: { excluding in try await store.read { db in try IntentTable.nextDue(excluding: excluding, in: db) }
            },
            perform: { [self] item in await perform(item) },
            clock: clock
        )
        alarm.set { runner.wake() }
        try await runner.run()
    }

    /// Does what is due once, one after the other. For tests and simulations, which need no runner.
    public func performDue() async throws {
        let now = clock.now()
        let items = try await store.read { db in try IntentTable.due(at: now, limit: 1000, excluding: [], in: db) }
        for item in items { await perform(item) }
    }

    func perform(_ item: DueIntent) async {
        do {
            let recovered = try await recoverUnsettled()
            // The row is another one now than when it was read.
            if recovered.contains(item.intent.key) { return }
        } catch {
            return await pause(after: error)
        }
        do {
            try await exchange(item)
        } catch {
            unsettled.withLock { _ = $0.insert(item.intent.key) }
            await pause(after: error)
        }
    }

    /// Makes what this process does not know how far it came `unknown`.
    private func recoverUnsettled() async throws -> Set<String> {
        let keys = unsettled.withLock { $0 }
        guard !keys.isEmpty else { return [] }
        try await store.write { tx in try IntentTable.recover(keys, at: tx.now, in: tx.db) }
        unsettled.withLock { $0.subtract(keys) }
        return keys
    }

    private func pause(after error: any Error) async {
        // The row is as it was, so the item is due again at once: without a pause this would be a hot loop.
        observer.storeFailed(Failure(classifying: error))
        await store.pause(for: failurePause)
    }

    private func exchange(_ item: DueIntent) async throws {
        let began = clock.now()
        let action = item.intent.action(at: began, policy: policy)
        guard action != .rest else { return }
        let first: GatedOperation =
            switch action {
            case .lookUp, .lookUpThenCall: .lookUp
            case .begin, .call, .rest: .call(item.call.kind)
            }
        guard gate.may(first) else {
            return try await store(.notSent(note: "gateway unavailable"), item, sentAt: nil)
        }
        let answer: GatewayAnswer
        switch action {
        case .rest: return
        case .begin:
            Failpoints.reach("gateway-call.before-row", about: [item.call.orderID.text])
            guard try await markCalling(item.intent.key) else { return }
            answer = await call(item.call)
        case .call: answer = await call(item.call)
        case .lookUp: answer = await lookUp(item.call)
        case .lookUpThenCall:
            let known = await lookUp(item.call)
            // Behind an open breaker it stays at what the look-up said: nothing is recorded yet.
            answer = known == .notFound && gate.may(.call(item.call.kind)) ? await call(item.call) : known
        }
        Failpoints.reach("gateway-call.before-settlement", about: [item.call.orderID.text])
        try await store(answer, item, sentAt: began)
        Failpoints.reach("gateway-call.after-settlement", about: [item.call.orderID.text])
    }

    private func call(_ call: GatewayCall) async -> GatewayAnswer {
        let start = ContinuousClock.now
        Failpoints.reach("gateway-call.before-send", about: [call.orderID.text])
        let call = Sabotage.isOn("new-key-per-call") ? call.again(at: clock.now()) : call
        let answer = await gateway.call(call)
        Failpoints.reach("gateway-call.after-answer", about: [call.orderID.text])
        observer.exchanged(GatedOperation.call(call.kind).name, answer, ContinuousClock.now - start)
        await note(answer, of: .call(call.kind))
        return answer
    }

    private func lookUp(_ call: GatewayCall) async -> GatewayAnswer {
        let start = ContinuousClock.now
        Failpoints.reach("gateway-look-up.before-send", about: [call.orderID.text])
        let answer = await gateway.lookUp(call)
        Failpoints.reach("gateway-look-up.after-answer", about: [call.orderID.text])
        observer.exchanged(GatedOperation.lookUp.name, answer, ContinuousClock.now - start)
        await note(answer, of: .lookUp)
        return answer
    }

    private func note(_ answer: GatewayAnswer, of operation: GatedOperation) async {
        guard gate.note(answer, of: operation) else { return }
        // It came back: whatever waited for it may go on at once.
        try? await store.write { [alarm] tx in
            try IntentTable.resume(at: tx.now, in: tx.db)
            tx.afterCommit { alarm.wake() }
        }
    }

    /// Stores that a call may now be under way.
    /// - Returns: no when the intent was taken back or settled meanwhile.
    private func markCalling(_ key: String) async throws -> Bool {
        try await store.write { tx in
            guard var (_, intent) = try IntentTable.load(key: key, in: tx.db), intent.state == .prepared else {
                return false
            }
            intent.state = .calling
            try IntentTable.save(intent, at: tx.now, in: tx.db)
            return true
        }
    }

    private func store(_ answer: GatewayAnswer, _ item: DueIntent, sentAt: Timestamp?) async throws {
        let settle = IntentSettlement(policy: policy, unit: PaymentUnit(wake: { [alarm] in alarm.wake() }))
        let key = item.intent.key
        try await store.write { tx in
            _ = try settle.apply(answer, toKey: key, sentAt: sentAt, in: tx)
        }
    }
}
