import DurableStore
import GRDB
import Messaging
import Testing

@Suite("Statements: values straight to SQLite and back")
struct StatementTests {
    private let queue: DatabaseQueue

    init() throws {
        queue = try DatabaseQueue()
        try queue.write { db in
            try db.execute(
                sql: """
                    CREATE TABLE thing (name TEXT, number INTEGER, flag INTEGER, bytes BLOB) STRICT;
                    CREATE TABLE word (text TEXT NOT NULL UNIQUE) STRICT;
                    INSERT INTO word VALUES ('one'), ('two'), ('three');
                    """
            )
        }
    }

    @Test("what was stored is what is read, NULL and nothing at all included")
    func roundTrip() throws {
        try queue.write { db in
            let insert = try db.cachedStatement(sql: "INSERT INTO thing VALUES (?, ?, ?, ?)")
            try insert.run(["Größe", Int64.min, true, Blob([0, 255, 7])])
            try insert.run([nil, nil, nil, nil])
            try insert.run(["", 0, false, Blob([])])
            let rows = try db.cachedStatement(sql: "SELECT name, number, flag, bytes FROM thing ORDER BY rowid").all {
                row in
                try (name: row[0] as String?, number: row[1] as Int64?, flag: row[2] as Bool?, bytes: row[3] as Blob?)
            }
            #expect(rows.map(\.name) == ["Größe", nil, ""])
            #expect(rows.map(\.number) == [.min, nil, 0])
            #expect(rows.map(\.flag) == [true, nil, false])
            #expect(rows.map { $0.bytes?.bytes } == [[0, 255, 7], nil, []])
        }
    }

    @Test("what a row does not have is a failure, not a trap")
    func unreadableColumns() throws {
        try queue.write { db in
            try db.cachedStatement(sql: "INSERT INTO thing(number) VALUES (?)").run([Int64.max])
            let select = try db.cachedStatement(sql: "SELECT name, number FROM thing")
            for read: @Sendable (Columns) throws -> Void in [
                { _ = try $0[0] as String }, { _ = try $0[2] as String? }, { _ = try $0[-1] as Int64 },
                { _ = try $0[1] as Int8 },
            ] {
                let failure = #expect(throws: Failure.self) { try select.first([], read) }
                #expect(failure?.code == "column-unreadable" && failure?.failureClass == .poison)
            }
        }
    }

    @Test("too few or too many values are refused, and nothing is left of the call before", arguments: [0, 1, 3])
    func wrongNumberOfValues(count: Int) throws {
        try queue.write { db in
            let insert = try db.cachedStatement(sql: "INSERT INTO thing(name, number) VALUES (?, ?)")
            try insert.run(["first", 1])
            let error = #expect(throws: DatabaseError.self) { try insert.run(Array(repeating: "x", count: count)) }
            #expect(error?.resultCode == .SQLITE_MISUSE)
            try insert.run([nil, 2])
            let names = try db.cachedStatement(sql: "SELECT name FROM thing WHERE number = ?").all([2]) {
                try $0[0] as String?
            }
            #expect(names == [nil])
        }
    }

    @Test("a read that ends early, or with an error, keeps nothing open")
    func endedReads() throws {
        struct Enough: Error {}
        try queue.write { db in
            let select = try db.cachedStatement(sql: "SELECT text FROM word ORDER BY rowid")
            #expect(try select.first { try $0[0] as String } == "one")
            #expect(throws: Enough.self) { try select.first { _ in throw Enough() } }
            #expect(throws: Enough.self) { try select.forEach([]) { _ in throw Enough() } }
            // SQLite drops no table that a statement is still reading.
            try db.execute(sql: "DROP TABLE word")
        }
    }

    @Test("a statement goes on after a row that it may not write")
    func afterAConstraint() throws {
        try queue.write { db in
            let insert = try db.cachedStatement(sql: "INSERT INTO word VALUES (?)")
            #expect(throws: DatabaseError.self) { try insert.run(["one"]) }
            try insert.run(["four"])
            #expect(try db.cachedStatement(sql: "SELECT count(*) FROM word").first { try $0[0] as Int } == 4)
        }
    }

    @Test("nothing is written while no transaction is open")
    func outsideATransaction() throws {
        try queue.writeWithoutTransaction { db in
            let insert = try db.cachedStatement(sql: "INSERT INTO word VALUES (?)")
            let error = #expect(throws: DatabaseError.self) { try insert.run(["four"]) }
            #expect(error?.resultCode == .SQLITE_ABORT)
            #expect(try db.cachedStatement(sql: "SELECT count(*) FROM word").first { try $0[0] as Int } == 3)
        }
    }

    @Test("a read whose task is cancelled ends as cancelled", .timeLimit(.minutes(1)))
    func cancelledRead() async throws {
        let queue = queue
        let (started, continuation) = AsyncStream.makeStream(of: Void.self)
        let reading = Task {
            _ = try await queue.read { db in
                try db.cachedStatement(
                    sql: "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
                )
                .all { _ in continuation.yield() }
            }
        }
        for await _ in started { break }
        reading.cancel()
        await #expect(throws: CancellationError.self) { try await reading.value }
    }

    @Test("one of several values, or NULL, and without a temporary b-tree at each row")
    func oneOf() throws {
        try queue.write { db in
            try db.execute(
                sql: "CREATE TABLE state (name TEXT CHECK \(Schema.oneOf("name", "open", "shut", "ajar"))) STRICT"
            )
            let insert = try db.cachedStatement(sql: "INSERT INTO state VALUES (?)")
            for name in ["open", "shut", "ajar", nil] { try insert.run([name]) }
            #expect(throws: DatabaseError.self) { try insert.run(["gone"]) }
            #expect(try Self.makesTemporaryTables(db, "INSERT INTO state VALUES ('open')") == false)
            try db.execute(sql: "CREATE TABLE other (name TEXT CHECK (name IN ('open', 'shut', 'ajar'))) STRICT")
            #expect(try Self.makesTemporaryTables(db, "INSERT INTO other VALUES ('open')"))
        }
    }

    @Test("neither inbox nor outbox makes one when a message comes or goes")
    func hotTables() async throws {
        let store = try DurableStore.inMemory(migrations: DatabaseMigrator())
        try await store.write { tx in
            for sql in [
                "INSERT INTO inbox(consumer, message_id, body_hash, type, outcome, received_at) VALUES ('', '', 0, '', '', 0)",
                """
                INSERT INTO outbox(message_id, transport, target, subject, source, type, time, correlation_id, attempt,
                    content_type, body, created_at) VALUES ('', '', '', '', '', '', 0, '', 1, '', x'', 0)
                """,
                "UPDATE outbox SET published_at = 0 WHERE seq = 1",
            ] {
                let makesOne = try Self.makesTemporaryTables(tx.db, sql)
                #expect(!makesOne, "\(sql)")
            }
        }
    }

    private static func makesTemporaryTables(_ db: Database, _ sql: String) throws -> Bool {
        try db.makeStatement(sql: "EXPLAIN " + sql).all { try $0[1] as String }.contains("OpenEphemeral")
    }
}
