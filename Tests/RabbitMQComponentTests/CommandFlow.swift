import DurableStore
import GRDB
import Messaging
import RabbitMQ
import Synchronization
import Testing

@testable import ServiceKit

/// A service's way of a command through a real broker: outbox row, relay, inbox, handler, dead letters. All of its parts are those that
/// run in a service; only the handler is the test's.
struct CommandFlow: Sendable {
    let name: String
    let store: DurableStore
    let handler: ScriptedHandler
    let fixture: Fixture
    private let publisher: RabbitMQPublisher
    private let relay: OutboxRelay

    /// - Parameters:
    ///   - path: the database file; a later flow on the same file is the service after a restart.
    ///   - handler: what the inbox does; it remembers what it saw across restarts.
    init(
        _ name: String,
        path: String,
        url: String? = Broker.url,
        handler: ScriptedHandler = ScriptedHandler { _ in nil }
    ) throws {
        self.name = name
        self.handler = handler
        var migrations = DatabaseMigrator()
        migrations.registerMigration("test") { db in
            try db.execute(sql: "CREATE TABLE effects(id TEXT NOT NULL, subject TEXT NOT NULL) STRICT")
        }
        store = try DurableStore(DurableStoreConfiguration(path: path), migrations: migrations)
        fixture = try Fixture(name, url: url)
        publisher = RabbitMQPublisher(configuration: fixture.configuration, logger: Broker.logger)
        // As in a service, but a key that fails does not pause for half a minute.
        relay = OutboxRelay(
            store: store,
            transport: .amqp,
            publisher: AMQPMessagePublisher(publisher),
            configuration: OutboxRelayConfiguration(window: 512, longestKeyPause: .milliseconds(200))
        )
    }

    /// The relay as long as `body` runs.
    func relaying<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        let service = AMQPRelayService(publisher: publisher, relay: relay)
        return try await running([{ try? await service.run() }], body)
    }

    /// The consumer of the inbox and of its dead letters, as long as `body` runs.
    func consuming<Result: Sendable>(
        retry: RetryPolicy = .standard,
        prefetch: UInt16 = 256,
        _ body: () async throws -> Result
    ) async throws -> Result {
        let service = inboxService(retry: retry, prefetch: prefetch)
        return try await running([{ try? await service.run() }], body)
    }

    /// The same until it ends by itself.
    func consume() async throws { try await inboxService().run() }

    private func inboxService(retry: RetryPolicy = .standard, prefetch: UInt16 = 256) -> InboxService {
        InboxService(
            inbox: name,
            configuration: fixture.configuration,
            processor: CommandProcessor(store: store, inbox: name, handler: handler, retry: retry),
            drain: DeadLetterDrain(store: store, inbox: name),
            observer: NoObserver(),
            logger: Broker.logger,
            prefetch: prefetch,
            retry: retry
        )
    }

    /// Commits commands for an inbox, one unit for all.
    func enqueue(_ ids: [String], subject: String? = nil, to destination: Destination? = nil) async throws {
        let destination = destination ?? .inbox(name)
        try await store.write { transaction in
            for id in ids {
                try transaction.enqueue(
                    OutgoingMessage(to: destination, Self.envelope(id, subject: subject ?? id, at: transaction.now))
                )
            }
        }
    }

    static func envelope(_ id: String, subject: String, at now: Timestamp) -> Envelope {
        Envelope(
            id: id,
            source: "/test",
            type: "test.command.v1",
            subject: subject,
            time: now,
            correlationID: subject,
            body: Array("{}".utf8)
        )
    }

    /// The ids that took effect, in order.
    func effects() async throws -> [String] {
        try await store.read { try String.fetchAll($0, sql: "SELECT id FROM effects ORDER BY rowid") }
    }

    /// Rows that no broker has confirmed.
    func unpublished() async throws -> [OutboxRow] { try await store.outboxRows(.unpublished, limit: 1000) }

    /// Failed attempts that were committed: each left a row that asks for the next one. A handler sees more, since an attempt that a
    /// stop interrupts does not count.
    func failedAttempts() async throws -> Int {
        (try await store.outboxRows(.all, limit: 1000).map(\.message.envelope.attempt).max() ?? 1) - 1
    }

    /// Ends the service; its queues stay.
    func close() async { await store.close() }
}

/// Fails as it is told to; otherwise writes the effect.
final class ScriptedHandler: MessageHandler {
    let consumer = "test"
    private let script: @Sendable (Envelope) -> Failure?
    private let seen: Mutex<[(id: String, attempt: Int, at: ContinuousClock.Instant)]> = Mutex([])

    init(_ script: @escaping @Sendable (Envelope) -> Failure?) { self.script = script }

    /// Every attempt at a message, in order.
    func attempts(_ id: String) -> [(number: Int, at: ContinuousClock.Instant)] {
        seen.withLock { $0.filter { $0.id == id }.map { ($0.attempt, $0.at) } }
    }

    func handle(_ envelope: Envelope, in transaction: Transaction) throws {
        seen.withLock { $0.append((envelope.id, envelope.attempt, .now)) }
        if let failure = script(envelope) { throw failure }
        try transaction.db.execute(
            sql: "INSERT INTO effects(id, subject) VALUES (?, ?)",
            arguments: [envelope.id, envelope.subject]
        )
        if let replyTo = envelope.replyTo {
            try transaction.enqueue(
                OutgoingMessage(
                    to: .inbox(replyTo),
                    CommandFlow.envelope("re-" + envelope.id, subject: envelope.subject, at: transaction.now)
                )
            )
        }
    }
}

private struct NoObserver: RabbitMQObserver {}
