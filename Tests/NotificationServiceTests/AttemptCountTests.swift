import DurableStore
import GRDB
import KitTestSupport
import Logging
import Messaging
import StrictJSON
import Synchronization
import Telemetry
import Testing
import Webhooks

@testable import NotificationService

/// A receiver behind senders that come and go: counts what reaches it, fails every third request, and may hold requests so that a sender
/// can die while they are on the wire.
private final class Receiver: WebhookSending {
    private struct State {
        var requests = 0
        var holdsFrom = Int.max
        var held: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    var requests: Int { state.withLock { $0.requests } }
    var held: Int { state.withLock { $0.held.count } }

    /// Holds every request from the nth on.
    func hold(from number: Int) { state.withLock { $0.holdsFrom = number } }

    func release() {
        let waiting = state.withLock { state in
            state.holdsFrom = .max
            defer { state.held = [] }
            return state.held
        }
        for continuation in waiting { continuation.resume() }
    }

    func interrupt() async {}

    func send(_ request: WebhookRequest) async -> WebhookExchange {
        let number = state.withLock { state in
            state.requests += 1
            return state.requests
        }
        if number >= state.withLock({ $0.holdsFrom }) {
            await withCheckedContinuation { continuation in
                let isLate = state.withLock { state in
                    if state.holdsFrom == .max { return true }
                    state.held.append(continuation)
                    return false
                }
                if isLate { continuation.resume() }
            }
        }
        return WebhookExchange(result: .answered(AttemptAnswer(status: number % 3 == 0 ? 503 : 204)))
    }
}

@Suite("Attempts: the metric, the rows and the receiver")
struct AttemptCountTests {
    /// One process: a store on the file, a dispatcher, a registry of its own.
    private struct Life {
        let store: DurableStore
        let registry = PrometheusRegistry()
        let task: Task<Void, any Error>

        init(_ path: String, _ receiver: Receiver) async throws {
            store = try DurableStore(DurableStoreConfiguration(path: path), migrations: NotificationSchema.migrations)
            var options = SenderOptions()
            options.schedule = RetrySchedule(delays: [Int64](repeating: 10, count: 30)) ?? .standard
            options.breaker.threshold = 1000
            let dispatcher = WebhookDispatcher(
                store: store,
                sender: receiver,
                options: options,
                observer: NotificationMetrics(
                    registry: registry,
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                )
            )
            try await dispatcher.recover()
            task = Task { try await dispatcher.run() }
        }

        /// All samples of the counter.
        var counted: Int {
            String(decoding: registry.render(), as: UTF8.self).split(separator: "\n")
                .filter { $0.hasPrefix("webhook_attempts_total{") }
                .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0) { $0 + Int($1) }
        }

        func rows(_ sql: String) async throws -> Int {
            try await store.read { db in try Int.fetchOne(db, sql: sql) ?? -1 }
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func areTheSameNumberThroughFailuresAndADeathInTheMiddle() async throws {
        let file = try TemporaryDatabase()
        let receiver = Receiver()
        let first = try await Life(file.path, receiver)
        let administration = WebhookAdministration(
            knownTypes: nil,
            policy: AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8") ?? [])
        ) {}
        try await first.store.write { tx in
            for index in 0..<3 {
                _ = try administration.create(
                    EndpointSettings(url: "http://127.0.0.1:9/\(index)"),
                    actor: "test",
                    in: tx
                )
            }
        }
        receiver.hold(from: 100)
        try await first.store.write { tx in
            for index in 0..<60 {
                let event = WebhookEvent(
                    id: "e\(index)",
                    source: "/t",
                    type: "a.b",
                    subject: "s",
                    time: tx.now,
                    data: [:]
                )
                _ = try WebhookFanout {}.publish(event, in: tx)
            }
        }
        // 24 requests are on the wire, 8 for each endpoint, when the process is gone: nothing of what follows is written any more.
        let isHeld = await eventually { receiver.held == 24 }
        #expect(isHeld)
        let before = try await (requests: receiver.requests, rows: first.rows("SELECT count(*) FROM webhook_attempts"))
        #expect(before.rows == before.requests && first.counted == before.requests - 24)
        first.store.abandon(Failure(.fatal, code: "killed", "The process is dead."))
        first.task.cancel()
        receiver.release()
        _ = try? await first.task.value
        await first.store.close()
        #expect(first.counted == before.requests - 24)

        let second = try await Life(file.path, receiver)
        let isDone = try await eventually(within: .seconds(60)) {
            try await second.rows("SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'") == 180
        }
        #expect(isDone)
        second.task.cancel()
        _ = try? await second.task.value
        let rows = try await second.rows("SELECT count(*) FROM webhook_attempts")
        #expect(rows == receiver.requests && first.counted + second.counted == rows)
        #expect(try await second.rows("SELECT count(*) FROM webhook_attempts WHERE state = 'interrupted'") == 24)
        #expect(rows > 180 + 24)
        let text = String(decoding: second.registry.render(), as: UTF8.self)
        #expect(text.contains("webhook_attempts_total{code=\"5xx\"") && !text.contains("code=\"503\""))
        await second.store.close()
    }
}
