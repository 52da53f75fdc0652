import GRDB
import Messaging

/// The kit's own tables. Migrations are named, run once each and are never edited after a release.
enum StoreSchema {
    static let prefix = "durable-store."

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration(prefix + "1") { db in
            try db.execute(sql: metaTables)
            try db.execute(sql: outboxTable)
            try db.execute(sql: inboxTables)
            try db.execute(sql: deadLetterTable)
            try db.execute(sql: deadlineTable)
        }
        migrator.registerMigration(prefix + "2") { db in try db.execute(sql: DeadLetterSchema.actsAndJobs) }
        migrator.registerMigration(prefix + "3") { db in try db.execute(sql: ParkedTable.schema) }
        return migrator
    }

    /// Runs the kit's migrations, then the service's.
    ///
    /// - Throws: a ``Failure`` of class fatal when the file was written by a newer version.
    static func migrate(_ database: any DatabaseWriter, service: DatabaseMigrator) throws {
        let kit = migrator
        let known = Set(kit.migrations).union(service.migrations)
        let unknown = try database.read { db in
            guard try db.tableExists("grdb_migrations") else { return Set<String>() }
            return try String.fetchSet(db, sql: "SELECT identifier FROM grdb_migrations").subtracting(known)
        }
        guard unknown.isEmpty else {
            let names = unknown.sorted().joined(separator: ", ")
            throw Failure(
                .fatal,
                code: "store-too-new",
                "The database was written by a newer version: it has the migrations \(names)."
            )
        }
        try kit.migrate(database)
        try service.migrate(database)
    }

    private static let metaTables = """
        CREATE TABLE store_meta (
            name TEXT NOT NULL PRIMARY KEY,
            value INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO store_meta(name, value) VALUES ('epoch', 0);
        """

    private static let outboxTable = """
        CREATE TABLE outbox (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            message_id TEXT NOT NULL,
            transport TEXT NOT NULL CHECK (transport IN ('amqp', 'kafka')),
            target TEXT NOT NULL,
            routing_key TEXT,
            subject TEXT NOT NULL,
            source TEXT NOT NULL,
            type TEXT NOT NULL,
            time INTEGER NOT NULL,
            sequence INTEGER CHECK (sequence >= 1),
            correlation_id TEXT NOT NULL,
            causation_id TEXT,
            traceparent TEXT,
            reply_to TEXT,
            attempt INTEGER NOT NULL CHECK (attempt >= 1),
            content_type TEXT NOT NULL,
            extra_headers TEXT,
            expiration_ms INTEGER CHECK (expiration_ms >= 0),
            created_at INTEGER NOT NULL,
            published_at INTEGER,
            attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
            next_attempt_at INTEGER,
            last_error TEXT,
            parked_at INTEGER,
            parked_reason TEXT,
            body BLOB NOT NULL,
            CHECK ((transport = 'amqp') = (routing_key IS NOT NULL)),
            CHECK (transport = 'amqp' OR expiration_ms IS NULL),
            CHECK ((parked_at IS NULL) = (parked_reason IS NULL)),
            CHECK (parked_at IS NULL OR published_at IS NULL)
        ) STRICT;
        CREATE INDEX outbox_pending ON outbox(transport, subject, seq)
            WHERE published_at IS NULL AND parked_at IS NULL;
        CREATE INDEX outbox_parked ON outbox(transport, seq) WHERE parked_at IS NOT NULL;
        """

    private static let inboxTables = """
        CREATE TABLE inbox (
            consumer TEXT NOT NULL,
            message_id TEXT NOT NULL,
            body_hash INTEGER NOT NULL,
            type TEXT NOT NULL,
            outcome TEXT NOT NULL CHECK \(Schema.oneOf("outcome", "handled", "refused", "noop")),
            code TEXT,
            received_at INTEGER NOT NULL,
            PRIMARY KEY (consumer, message_id),
            CHECK ((outcome = 'refused') = (code IS NOT NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX inbox_received ON inbox(received_at);
        CREATE TABLE consumer_offsets (
            consumer TEXT NOT NULL,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL CHECK (partition >= 0),
            next_offset INTEGER NOT NULL CHECK (next_offset >= 0),
            PRIMARY KEY (consumer, topic, partition)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE consumer_attempts (
            consumer TEXT NOT NULL,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL CHECK (partition >= 0),
            record_offset INTEGER NOT NULL CHECK (record_offset >= 0),
            attempts INTEGER NOT NULL CHECK (attempts >= 1),
            first_failed_at INTEGER NOT NULL,
            PRIMARY KEY (consumer, topic, partition)
        ) STRICT, WITHOUT ROWID;
        """

    private static let deadLetterTable = """
        CREATE TABLE dead_letters (
            id TEXT NOT NULL PRIMARY KEY,
            transport TEXT NOT NULL CHECK (transport IN ('amqp', 'kafka', 'http')),
            consumer TEXT NOT NULL,
            source TEXT NOT NULL,
            message_id TEXT,
            type TEXT,
            subject TEXT,
            correlation_id TEXT,
            traceparent TEXT,
            failure_class TEXT NOT NULL,
            code TEXT NOT NULL,
            error TEXT NOT NULL,
            attempts INTEGER NOT NULL CHECK (attempts >= 0),
            first_failed_at INTEGER NOT NULL,
            failed_at INTEGER NOT NULL,
            headers BLOB NOT NULL,
            body BLOB NOT NULL,
            x_death TEXT,
            state TEXT NOT NULL CHECK (state IN ('held', 'requeued', 'discarded')),
            state_changed_at INTEGER NOT NULL,
            state_reason TEXT,
            requeues INTEGER NOT NULL DEFAULT 0 CHECK (requeues >= 0),
            previous_id TEXT,
            edited_from TEXT,
            recorded_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX dead_letters_state ON dead_letters(state, failed_at);
        CREATE INDEX dead_letters_subject ON dead_letters(subject) WHERE subject IS NOT NULL;
        """

    private static let deadlineTable = """
        CREATE TABLE deadlines (
            name TEXT NOT NULL,
            subject TEXT NOT NULL,
            due_at INTEGER NOT NULL,
            failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
            retry_at INTEGER NOT NULL,
            last_error TEXT,
            PRIMARY KEY (name, subject)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX deadlines_retry ON deadlines(retry_at);
        """
}
