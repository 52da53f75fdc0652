import DurableStore
public import GRDB

/// The tables of the sender. A service adds them to its own migrations.
public enum WebhookSchema {
    /// Registers the migrations, oldest first; a released one is never edited.
    public static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("webhooks-1") { db in
            try db.execute(sql: endpoints)
            try db.execute(sql: deliveries)
            try db.execute(sql: recoveries)
        }
        migrator.registerMigration("webhooks-2") { db in
            try db.execute(sql: consent)
            try db.execute(sql: content)
        }
        migrator.registerMigration("webhooks-3") { db in
            try db.execute(sql: asked)
        }
        migrator.registerMigration("webhooks-4") { db in
            try db.execute(sql: format)
            try db.execute(sql: rareFirst)
        }
    }

    private static let consent = """
        ALTER TABLE webhook_endpoints ADD COLUMN allowed_per_minute INTEGER CHECK (allowed_per_minute >= 1);

        -- Whether a receiver was asked, and what it said. The token makes the address by which it may agree later.
        CREATE TABLE webhook_handshakes (
            endpoint_id TEXT NOT NULL PRIMARY KEY REFERENCES webhook_endpoints(id),
            token TEXT NOT NULL UNIQUE,
            attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
            next_at INTEGER,
            asked_at INTEGER,
            result TEXT,
            granted_at INTEGER,
            CHECK (granted_at IS NULL OR next_at IS NULL)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX webhook_handshakes_due ON webhook_handshakes(next_at) WHERE next_at IS NOT NULL;
        """

    private static let content = """
        ALTER TABLE webhook_endpoints ADD COLUMN channels TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE webhook_endpoints ADD COLUMN content_filter TEXT;
        ALTER TABLE webhook_endpoints ADD COLUMN payload TEXT NOT NULL DEFAULT 'full' CHECK (payload IN ('full', 'thin'));
        ALTER TABLE webhook_endpoints ADD COLUMN exhausted_in_row INTEGER NOT NULL DEFAULT 0 CHECK (exhausted_in_row >= 0);
        ALTER TABLE webhook_messages ADD COLUMN channels TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE webhook_messages ADD COLUMN dataref TEXT;
        -- An erased message has an empty body for good.
        ALTER TABLE webhook_messages ADD COLUMN erased_at INTEGER;
        ALTER TABLE webhook_messages ADD COLUMN erased_by TEXT;
        -- Decided when the delivery is made: every attempt sends the same bytes, whatever becomes of the setting.
        ALTER TABLE webhook_deliveries ADD COLUMN is_thin INTEGER NOT NULL DEFAULT 0 CHECK (is_thin IN (0, 1));
        ALTER TABLE webhook_recoveries ADD COLUMN per_second INTEGER CHECK (per_second BETWEEN 1 AND 10000);
        """

    /// Behind an open breaker the picker looks for these alone, however many others wait.
    private static let asked = """
        CREATE INDEX webhook_deliveries_asked ON webhook_deliveries(endpoint_id, next_attempt_at, seq)
            WHERE state = 'pending' AND attempt_trigger IN ('test', 'manual');
        """

    /// For the lists that people look at: what went wrong is rare among what went well, and an order is one of very many.
    private static let rareFirst = """
        CREATE INDEX webhook_messages_subject ON webhook_messages(subject);
        CREATE INDEX webhook_deliveries_ended ON webhook_deliveries(state, seq) WHERE reason IS NOT NULL;
        CREATE INDEX webhook_deliveries_failed ON webhook_deliveries(seq) WHERE first_failed_at IS NOT NULL;
        """

    private static let format = """
        ALTER TABLE webhook_endpoints ADD COLUMN format TEXT NOT NULL DEFAULT 'structured'
            CHECK (format IN ('structured', 'binary'));
        -- Decided with is_thin when the delivery is made.
        ALTER TABLE webhook_deliveries ADD COLUMN is_binary INTEGER NOT NULL DEFAULT 0 CHECK (is_binary IN (0, 1));
        """

    /// What a delivery that is at rest may be; only one that is under way is `sending`.
    private static let restingStates = [
        "pending", "waiting", "delivered", "exhausted", "parked", "skipped", "cancelled",
    ]
    private static let isDeliveryState = Schema.oneOf("state", restingStates + ["sending"])
    private static let isResumeState = Schema.oneOf("resume_state", restingStates)

    private static let endpoints = """
        CREATE TABLE webhook_endpoints (
            id TEXT NOT NULL PRIMARY KEY,
            uid TEXT UNIQUE,
            url TEXT NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
            description TEXT NOT NULL,
            event_types TEXT NOT NULL,
            headers TEXT NOT NULL,
            metadata TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('pending_verification', 'enabled', 'paused', 'disabled', 'deleted')),
            state_reason TEXT,
            timeout_ms INTEGER NOT NULL CHECK (timeout_ms BETWEEN 1 AND 30000),
            max_in_flight INTEGER NOT NULL CHECK (max_in_flight BETWEEN 1 AND 64),
            throttle INTEGER CHECK (throttle BETWEEN 1 AND 10000),
            ordering TEXT NOT NULL CHECK (ordering IN ('none', 'key')),
            on_exhausted TEXT NOT NULL CHECK (on_exhausted IN ('skip', 'park')),
            terminal_statuses TEXT NOT NULL,
            schedule TEXT,
            signing_key TEXT,
            signs TEXT NOT NULL CHECK (signs IN ('v1', 'v1a', 'v1+v1a')),
            breaker_threshold INTEGER CHECK (breaker_threshold BETWEEN 0 AND 1000000),
            request_origin INTEGER NOT NULL DEFAULT 0 CHECK (request_origin IN (0, 1)),
            hold_until INTEGER,
            breaker_failures INTEGER NOT NULL DEFAULT 0 CHECK (breaker_failures >= 0),
            breaker_openings INTEGER NOT NULL DEFAULT 0 CHECK (breaker_openings >= 0),
            breaker_until INTEGER,
            failing_since INTEGER,
            last_success_at INTEGER,
            version INTEGER NOT NULL CHECK (version >= 1),
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            CHECK ((state = 'disabled') = (state_reason IS NOT NULL)),
            CHECK ((signs = 'v1') = (signing_key IS NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX webhook_endpoints_state ON webhook_endpoints(state);

        CREATE TABLE webhook_secrets (
            endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints(id),
            number INTEGER NOT NULL CHECK (number >= 1),
            secret TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            expires_at INTEGER,
            PRIMARY KEY (endpoint_id, number)
        ) STRICT, WITHOUT ROWID;

        -- Every change of an endpoint, without secrets.
        CREATE TABLE webhook_endpoint_journal (
            endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints(id),
            version INTEGER NOT NULL CHECK (version >= 1),
            action TEXT NOT NULL,
            state TEXT NOT NULL,
            reason TEXT,
            actor TEXT NOT NULL,
            detail TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (endpoint_id, version)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER webhook_endpoint_journal_no_update BEFORE UPDATE ON webhook_endpoint_journal
            BEGIN SELECT RAISE(ABORT, 'webhook_endpoint_journal is append-only'); END;
        CREATE TRIGGER webhook_endpoint_journal_no_delete BEFORE DELETE ON webhook_endpoint_journal
            BEGIN SELECT RAISE(ABORT, 'webhook_endpoint_journal is append-only'); END;
        """

    private static let deliveries = """
        -- One row per event that somebody wants: the bytes that every attempt sends.
        CREATE TABLE webhook_messages (
            id TEXT NOT NULL PRIMARY KEY,
            type TEXT NOT NULL,
            subject TEXT NOT NULL,
            sequence INTEGER,
            traceparent TEXT,
            body BLOB NOT NULL,
            is_test INTEGER NOT NULL DEFAULT 0 CHECK (is_test IN (0, 1)),
            occurred_at INTEGER NOT NULL,
            created_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX webhook_messages_created ON webhook_messages(created_at);

        CREATE TABLE webhook_deliveries (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            message_id TEXT NOT NULL REFERENCES webhook_messages(id),
            endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints(id),
            type TEXT NOT NULL,
            ordering_key TEXT,
            state TEXT NOT NULL CHECK \(isDeliveryState),
            attempt_trigger TEXT NOT NULL CHECK \(Schema.oneOf("attempt_trigger", "scheduled", "manual", "recovery", "test")),
            lane INTEGER NOT NULL CHECK (lane IN (0, 1)),
            next_attempt_at INTEGER,
            attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
            failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
            last_status INTEGER,
            last_code TEXT,
            reason TEXT,
            resume_state TEXT CHECK \(isResumeState),
            resume_at INTEGER,
            recovery_id TEXT,
            created_at INTEGER NOT NULL,
            first_failed_at INTEGER,
            completed_at INTEGER,
            UNIQUE (endpoint_id, message_id),
            CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL))
        ) STRICT;
        CREATE INDEX webhook_deliveries_due ON webhook_deliveries(endpoint_id, lane, next_attempt_at, seq)
            WHERE state = 'pending';
        CREATE INDEX webhook_deliveries_key ON webhook_deliveries(endpoint_id, ordering_key, seq)
            WHERE ordering_key IS NOT NULL AND state IN ('pending', 'sending', 'waiting', 'parked');
        CREATE INDEX webhook_deliveries_sending ON webhook_deliveries(seq) WHERE state = 'sending';
        CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries(endpoint_id, seq);
        CREATE INDEX webhook_deliveries_message ON webhook_deliveries(message_id);
        CREATE INDEX webhook_deliveries_completed ON webhook_deliveries(completed_at) WHERE completed_at IS NOT NULL;

        -- Written before the first byte leaves; what came of it is added once.
        CREATE TABLE webhook_attempts (
            id TEXT NOT NULL PRIMARY KEY,
            delivery_seq INTEGER NOT NULL REFERENCES webhook_deliveries(seq),
            number INTEGER NOT NULL CHECK (number >= 1),
            attempt_trigger TEXT NOT NULL,
            state TEXT NOT NULL CHECK \(Schema.oneOf("state", "started", "succeeded", "failed", "interrupted")),
            started_at INTEGER NOT NULL,
            ended_at INTEGER,
            url TEXT NOT NULL,
            address TEXT,
            status INTEGER,
            code TEXT,
            detail TEXT,
            request_headers TEXT NOT NULL,
            response_headers TEXT,
            response_body BLOB,
            response_truncated INTEGER CHECK (response_truncated IN (0, 1)),
            resolve_us INTEGER,
            connect_us INTEGER,
            tls_us INTEGER,
            first_byte_us INTEGER,
            total_us INTEGER,
            next_attempt_at INTEGER,
            UNIQUE (delivery_seq, number),
            CHECK ((state = 'started') = (ended_at IS NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX webhook_attempts_open ON webhook_attempts(delivery_seq) WHERE state = 'started';
        """

    private static let recoveries = """
        CREATE TABLE webhook_recoveries (
            id TEXT NOT NULL PRIMARY KEY,
            endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints(id),
            request TEXT NOT NULL,
            since INTEGER NOT NULL,
            until INTEGER NOT NULL,
            event_types TEXT NOT NULL,
            status_class INTEGER CHECK (status_class BETWEEN 1 AND 5),
            includes_missing INTEGER NOT NULL CHECK (includes_missing IN (0, 1)),
            state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'cancelled')),
            cursor_created INTEGER NOT NULL,
            cursor_id TEXT NOT NULL,
            examined INTEGER NOT NULL DEFAULT 0,
            recovered INTEGER NOT NULL DEFAULT 0,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            UNIQUE (endpoint_id, request)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX webhook_recoveries_running ON webhook_recoveries(created_at) WHERE state = 'running';
        """
}
