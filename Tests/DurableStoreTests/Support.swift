import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Synchronization

/// A service in small: each message adds one effect and sends one event, numbered per subject.
struct EffectHandler: MessageHandler {
    let consumer = "effects"
    /// What to throw for a body, before anything is written; looked up by the body's text.
    var failures: @Sendable (Envelope) -> (any Error)? = { _ in nil }
    /// What to throw after everything was written.
    var lateFailures: @Sendable (Envelope) -> (any Error)? = { _ in nil }

    func handle(_ envelope: Envelope, in transaction: Transaction) throws {
        if let failure = failures(envelope) { throw failure }
        let last =
            try Int64.fetchOne(
                transaction.db.cachedStatement(sql: "SELECT max(version) FROM effect WHERE subject = ?"),
                arguments: [envelope.subject]
            ) ?? 0
        try transaction.db.cachedStatement(sql: "INSERT INTO effect(message_id, subject, version) VALUES (?, ?, ?)")
            .execute(arguments: [envelope.id, envelope.subject, last + 1])
        try transaction.enqueue(
            OutgoingMessage(
                to: .topic("effects"),
                Envelope(
                    id: "event-of-" + envelope.id,
                    source: "/test",
                    type: "test.effect.v1",
                    subject: envelope.subject,
                    time: transaction.now,
                    sequence: last + 1,
                    correlationID: envelope.correlationID,
                    causationID: envelope.id,
                    body: [UInt8]("{}".utf8)
                )
            )
        )
        if let failure = lateFailures(envelope) { throw failure }
    }
}

func testMigrations() -> DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("test.1") { db in
        // No key on message_id: a second effect of a message must be seen by the checks, not prevented by the table.
        try db.execute(
            sql: """
                CREATE TABLE effect (message_id TEXT NOT NULL, subject TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
                CREATE TABLE item (id TEXT NOT NULL PRIMARY KEY, text TEXT NOT NULL DEFAULT '') STRICT;
                """
        )
    }
    return migrator
}

func makeStore(
    _ path: String? = nil,
    clock: any WallClock = ManualClock(),
    ids: any IDGenerator = CountingIDs(),
    maximumQueue: Int = 10_000,
    maximumHandover: Int = 8192,
    onStep: (@Sendable (StoreStep) throws -> Void)? = nil
) throws -> DurableStore {
    try DurableStore(
        DurableStoreConfiguration(
            path: path,
            maximumQueue: maximumQueue,
            maximumHandover: maximumHandover,
            onStep: onStep
        ),
        migrations: testMigrations(),
        clock: clock,
        ids: ids,
        random: { 0 }
    )
}

/// A store in memory whose consumers wait as they are told.
func makeStore(
    pausing pause: @escaping @Sendable (Duration) async -> Void,
    onStep: @escaping @Sendable (StoreStep) throws -> Void = { _ in }
) throws -> DurableStore {
    var configuration = DurableStoreConfiguration(path: nil, onStep: onStep)
    configuration.pause = pause
    return try DurableStore(
        configuration,
        migrations: testMigrations(),
        clock: ManualClock(),
        ids: CountingIDs(),
        random: { 0 }
    )
}

func envelope(
    _ id: String,
    subject: String = "s-1",
    type: String = "test.command.v1",
    attempt: Int = 1,
    body: String = "{}"
) -> Envelope {
    Envelope(
        id: id,
        source: "/test",
        type: type,
        subject: subject,
        time: Timestamp(millisecondsSinceEpoch: 1000),
        correlationID: "c-1",
        attempt: attempt,
        body: [UInt8](body.utf8)
    )
}

func command(
    _ id: String,
    subject: String = "s-1",
    attempt: Int = 1,
    body: String = "{}",
    extra: [(name: String, value: String)] = []
) -> ReceivedMessage {
    let envelope = envelope(id, subject: subject, attempt: attempt, body: body)
    return ReceivedMessage(
        source: .queue("test.inbox"),
        headers: EnvelopeHeaders.encode(envelope) + extra,
        body: envelope.body
    )
}

func record(
    _ id: String,
    offset: Int64,
    partition: Int32 = 0,
    subject: String = "s-1",
    body: String = "{}"
) -> ReceivedMessage {
    let envelope = envelope(id, subject: subject, body: body)
    return ReceivedMessage(
        source: .record(topic: "events", partition: partition, offset: offset),
        headers: EnvelopeHeaders.encode(envelope),
        body: envelope.body
    )
}

/// As it arrives after an adapter carried it.
func delivered(_ message: OutgoingMessage, from queue: String = "test.inbox") -> ReceivedMessage {
    ReceivedMessage(
        source: .queue(queue),
        headers: EnvelopeHeaders.encode(message.envelope)
            + message.extraHeaders.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
        body: message.envelope.body
    )
}

func outgoing(_ id: String, subject: String, to destination: Destination = .inbox("other.inbox")) -> OutgoingMessage {
    OutgoingMessage(to: destination, envelope(id, subject: subject))
}

extension DurableStore {
    func count(_ sql: String) async throws -> Int {
        try await read { try Int.fetchOne($0, sql: sql) ?? 0 }
    }

    func strings(_ sql: String) async throws -> [String] {
        try await read { try String.fetchAll($0, sql: sql) }
    }

    func add(_ messages: [OutgoingMessage]) async throws {
        try await write { transaction in
            for message in messages { try transaction.enqueue(message) }
        }
    }
}

/// A list that tasks add to.
final class Recorder<Element: Sendable>: Sendable {
    private let list = Mutex<[Element]>([])
    func add(_ element: Element) { list.withLock { $0.append(element) } }
    var all: [Element] { list.withLock { $0 } }
    var count: Int { all.count }
}

/// Counts steps and fails at one of them.
final class FailurePoint: Sendable {
    private let state: Mutex<(taken: Int, target: Int, hit: Bool)>

    /// - Parameter target: the number of the step that fails, from 1.
    init(at target: Int) { state = Mutex((0, target, false)) }

    /// Whether this is the step. Afterwards every step fails: a dead process takes none.
    func isHit() -> Bool {
        state.withLock { state in
            state.taken += 1
            if state.taken >= state.target { state.hit = true }
            return state.hit
        }
    }

    var wasHit: Bool { state.withLock { $0.hit } }
}

/// A disk without room, for as many commits as it is told.
final class FullDisk: Sendable {
    private let state: Mutex<(left: Int, refused: Int)>

    init(commits: Int = .max) { state = Mutex((commits, 0)) }

    /// How many commits found no room.
    var refused: Int { state.withLock { $0.refused } }

    func reach(_ step: StoreStep) throws {
        guard step == .beforeCommit else { return }
        let isFull = state.withLock { state -> Bool in
            guard state.left > 0 else { return false }
            state.left -= 1
            state.refused += 1
            return true
        }
        if isFull { throw DatabaseError(resultCode: .SQLITE_FULL, message: "simulated") }
    }
}

let ioError = DatabaseError(resultCode: .SQLITE_IOERR, message: "simulated")
