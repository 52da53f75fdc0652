public import DurableStore
import Failpoints
public import Messaging
import Synchronization

/// Sends what is due: a row first, then one request, then a row.
///
/// At most ``SenderOptions/concurrency`` requests are under way, each endpoint has its own bound, and what an endpoint's hold,
/// breaker or throttle keeps back uses no attempt. Stopping waits a few seconds for what is on the wire; the rest becomes
/// `interrupted` and is due again at once after the next start.
public final class WebhookDispatcher: Sendable {
    private let store: DurableStore
    private let sender: any WebhookSending
    private let options: SenderOptions
    private let unit: DeliveryUnit
    private let clock: any WallClock
    private let observer: any WebhookObserver
    private let gate: EndpointGate
    private let runner = Mutex<DueWorkRunner<DueDelivery>?>(nil)
    private let isStopping = Atomic(false)

    /// Makes a dispatcher.
    public init(
        store: DurableStore,
        sender: any WebhookSending,
        options: SenderOptions = SenderOptions(),
        clock: any WallClock = SystemClock(),
        observer: any WebhookObserver = SilentObserver()
    ) {
        self.store = store
        self.sender = sender
        self.options = options
        self.clock = clock
        self.observer = observer
        unit = DeliveryUnit(options: options)
        gate = EndpointGate(capacity: max(2, options.concurrency))
    }

    /// Makes the dispatcher look for work. Cheap; call it after each commit that made some.
    public func wake() { runner.withLock { $0 }?.wake() }

    /// Requests under way by endpoint.
    public var inFlight: [String: Int] { gate.byEndpoint }

    /// Takes over from the process before: what was on the wire is `interrupted` and due at once. Before ``run()``.
    /// - Returns: how many attempts that were.
    @discardableResult
    public func recover() async throws -> Int {
        if Sabotage.isOn("webhooks-not-recovered") { return 0 }
        let interrupted = try await store.write { tx in try DeliveryTable(db: tx.db).recover(at: tx.now) }
        for (endpoint, count) in interrupted { observer.interrupted(endpoint, count: count) }
        return interrupted.values.reduce(0, +)
    }

    /// Works until the task is cancelled; returns when nothing is on the wire any more.
    public func run() async throws {
        let store = store
        let gate = gate
        let clock = clock
        let runner = DueWorkRunner<DueDelivery>(
            name: "webhooks",
            concurrency: options.concurrency,
            fetchDue: { now, limit, excluding in
                try await store.read { db in
                    try DueDeliveries(db: db, gate: gate).take(at: now, limit: limit, excluding: excluding)
                }
            },
            nextDue: { _ in
                try await store.read { db in try DueDeliveries(db: db, gate: gate).next(at: clock.now()) }
            },
            perform: { [self] item in await perform(item) },
            clock: clock
        )
        self.runner.withLock { $0 = runner }
        let sender = sender
        let grace = options.stopGrace
        // A detached watch: it must outlive the cancellation that it waits for.
        let stopped = StopWatch()
        let watch = Task.detached {
            await stopped.wait()
            try? await Task.sleep(for: grace)
            await sender.interrupt()
        }
        defer { watch.cancel() }
        try await withTaskCancellationHandler {
            try await runner.run()
        } onCancel: {
            isStopping.store(true, ordering: .relaxed)
            stopped.stop()
        }
    }

    /// Sends what is due once, one after the other. For tests and simulations, which need no runner.
    public func performDue() async throws {
        let now = clock.now()
        let gate = gate
        let items = try await store.read { db in
            try DueDeliveries(db: db, gate: gate).take(at: now, limit: 1000, excluding: [])
        }
        for item in items { await perform(item) }
    }

    private func perform(_ item: DueDelivery) async {
        defer { gate.leave(item.endpointID) }
        let attempt: PreparedAttempt
        do {
            guard let begun = try await store.write({ [unit] tx in try unit.begin(item.id, in: tx) }) else { return }
            attempt = begun
        } catch {
            observer.storeFailed(Failure(classifying: error))
            // The row is as it was and due at once; without a pause this would be a hot loop.
            await store.pause(for: .seconds(1))
            return
        }
        Failpoints.reach("webhook.before-attempt", about: [attempt.message.subject])
        var exchange: WebhookExchange
        do throws(WebhookURL.Fault) {
            exchange = await sender.send(try unit.request(attempt))
        } catch {
            exchange = WebhookExchange(result: .failed(.blockedAddress, detail: error.description))
        }
        Failpoints.reach("webhook.after-attempt", about: [attempt.message.subject])
        await settle(attempt, exchange)
        Failpoints.reach("webhook.after-row", about: [attempt.message.subject])
    }

    /// Records what came of an attempt, however long the disk is full: until then the row says that it is on the wire, which nobody would
    /// look at before the next start.
    private func settle(_ attempt: PreparedAttempt, _ exchange: WebhookExchange) async {
        var failures = 0
        while true {
            do {
                let settled = try await store.write { [unit] tx in try unit.settle(attempt, exchange, in: tx) }
                gate.note(
                    attempt.endpoint.id,
                    slowsDown: settled.slowsDown,
                    success: settled.outcome == "delivered",
                    maximum: attempt.endpoint.settings.maximumInFlight
                )
                observer.attempted(observation(attempt, exchange, settled))
                return
            } catch {
                let failure = Failure(classifyingStoreError: error)
                observer.storeFailed(failure)
                // What is given up here, because the store is broken, the row is not taken or this process ends, the next one finds open.
                let mayGoOn = failure.isOfStore && !isStopping.load(ordering: .relaxed)
                guard failure.failureClass == .retryable, mayGoOn || failures < 4 else { return }
                await store.pause(for: .milliseconds(min(5000, 200 << min(failures, 5))))
                failures += 1
            }
        }
    }

    private func observation(
        _ attempt: PreparedAttempt,
        _ exchange: WebhookExchange,
        _ settled: SettledAttempt
    ) -> AttemptObservation {
        AttemptObservation(
            endpointID: attempt.endpoint.id,
            deliveryID: attempt.delivery.id,
            subject: attempt.message.subject,
            type: attempt.message.type,
            number: attempt.delivery.attempts + 1,
            outcome: settled.outcome,
            code: settled.code,
            duration: .microseconds(exchange.timings.total),
            latency: settled.outcome == "delivered"
                ? .milliseconds(clock.now().milliseconds(since: attempt.delivery.createdAt)) : nil,
            traceparent: attempt.message.traceparent,
            breakerOpened: settled.breakerOpened,
            held: settled.held,
            disabled: settled.disabled,
            deadLettered: settled.deadLettered
        )
    }
}

/// Tells one waiter that a task was cancelled.
private final class StopWatch: Sendable {
    private struct State {
        var isStopped = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func stop() {
        let waiter = state.withLock { state in
            state.isStopped = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns when stopped, or when the waiting task is cancelled.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isStopped { return true }
                    state.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            stop()
        }
    }
}
