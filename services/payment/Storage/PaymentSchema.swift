import DurableStore
public import GRDB

/// The payment service's tables.
///
/// | table | holds |
/// |---|---|
/// | `payments` | one row per order: where its payment stands. A row without amount is a tombstone |
/// | `payment_history` | what was announced, append-only; version *n* is the event with sequence *n* |
/// | `intents` | one row per thing that is to happen at the gateway, with its idempotency key |
/// | `ledger_transactions`, `ledger_entries` | moves of money, double entry, append-only, hash-chained |
/// | `callbacks` | the gateway's callbacks that were taken, by `webhook-id` |
public enum PaymentSchema {
    /// The migrations.
    public static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("payment.1-payments") { db in try db.execute(sql: payments) }
        migrator.registerMigration("payment.2-ledger") { db in try db.execute(sql: ledger) }
        return migrator
    }

    private static let isPhase = Schema.oneOf(
        "phase",
        "authorizing",
        "authorized",
        "declined",
        "failed",
        "capturing",
        "captured",
        "voiding",
        "refunding",
        "cancelled"
    )
    private static let isMilestone = Schema.oneOf(
        "to_status",
        "authorized",
        "declined",
        "captured",
        "voided",
        "refunded",
        "failed",
        "cancelled"
    )
    private static let isIntentState = Schema.oneOf(
        "state",
        "prepared",
        "calling",
        "unknown",
        "abandoned",
        "succeeded",
        "refused",
        "withdrawn"
    )

    private static let payments = """
        CREATE TABLE payments (
            order_id TEXT PRIMARY KEY CHECK (length(order_id) = 36),
            payment_id TEXT NOT NULL UNIQUE CHECK (length(payment_id) = 36),
            amount INTEGER CHECK (amount >= 0),
            currency TEXT CHECK (length(currency) = 3),
            card TEXT CHECK (length(card) BETWEEN 1 AND 64),
            phase TEXT NOT NULL CHECK \(isPhase),
            reason TEXT,
            cancel_reason TEXT,
            answer_owed INTEGER NOT NULL CHECK (answer_owed IN (0, 1)),
            authorization TEXT,
            capture TEXT,
            capture_account TEXT CHECK (capture_account IN ('revenue', 'suspense')),
            refunded INTEGER NOT NULL CHECK (refunded IN (0, 1)),
            version INTEGER NOT NULL CHECK (version >= 0),
            milestone TEXT,
            revision INTEGER NOT NULL CHECK (revision >= 1),
            correlation_id TEXT NOT NULL,
            causation_id TEXT,
            traceparent TEXT,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            CHECK ((amount IS NULL) = (currency IS NULL) AND (amount IS NULL) = (card IS NULL)),
            CHECK (amount IS NOT NULL OR phase = 'cancelled'),
            CHECK ((capture IS NULL) = (capture_account IS NULL)),
            CHECK (refunded = 0 OR capture IS NOT NULL),
            CHECK ((version = 0) = (milestone IS NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX payments_by_phase ON payments (phase, order_id);

        CREATE TABLE payment_history (
            order_id TEXT NOT NULL REFERENCES payments (order_id),
            version INTEGER NOT NULL CHECK (version >= 1),
            from_status TEXT,
            to_status TEXT NOT NULL CHECK \(isMilestone),
            reason TEXT,
            at INTEGER NOT NULL,
            PRIMARY KEY (order_id, version),
            CHECK ((version = 1) = (from_status IS NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER payment_history_no_update BEFORE UPDATE ON payment_history
            BEGIN SELECT RAISE(ABORT, 'payment_history is append-only'); END;
        CREATE TRIGGER payment_history_no_delete BEFORE DELETE ON payment_history
            BEGIN SELECT RAISE(ABORT, 'payment_history is append-only'); END;

        CREATE TABLE intents (
            key TEXT PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 128),
            order_id TEXT NOT NULL REFERENCES payments (order_id),
            kind TEXT NOT NULL CHECK \(Schema.oneOf("kind", "authorize", "capture", "void", "refund")),
            round INTEGER NOT NULL CHECK (round >= 1 AND (round = 1 OR kind IN ('void', 'refund'))),
            state TEXT NOT NULL CHECK \(isIntentState),
            sent_at INTEGER,
            due_at INTEGER,
            tries INTEGER NOT NULL CHECK (tries >= 0),
            reference TEXT,
            note TEXT,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            UNIQUE (order_id, kind, round),
            CHECK (NOT \(Schema.oneOf("state", "succeeded", "refused", "withdrawn")) OR due_at IS NULL),
            CHECK (state <> 'succeeded' OR reference IS NOT NULL),
            CHECK (state <> 'prepared' OR sent_at IS NULL)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX intents_due ON intents (due_at) WHERE due_at IS NOT NULL;
        CREATE TRIGGER intents_no_delete BEFORE DELETE ON intents
            BEGIN SELECT RAISE(ABORT, 'an idempotency key is never forgotten'); END;
        CREATE TRIGGER intents_fixed BEFORE UPDATE OF key, order_id, kind, round ON intents
            BEGIN SELECT RAISE(ABORT, 'an intent never changes what it is for'); END;
        CREATE TRIGGER intents_settled BEFORE UPDATE OF state ON intents
            WHEN \(Schema.oneOf("OLD.state", "succeeded", "refused", "withdrawn")) AND NEW.state <> OLD.state
            BEGIN SELECT RAISE(ABORT, 'a settled intent stays settled'); END;

        CREATE TABLE callbacks (
            webhook_id TEXT PRIMARY KEY CHECK (length(webhook_id) BETWEEN 1 AND 128),
            key TEXT NOT NULL,
            operation TEXT NOT NULL,
            result TEXT NOT NULL,
            outcome TEXT NOT NULL CHECK \(Schema.oneOf("outcome", "applied", "noop", "unknown-key", "mismatch")),
            received_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX callbacks_by_age ON callbacks (received_at);
        """

    /// A transaction's entries are written before it, and its own row only fits entries that sum to zero; afterwards nothing
    /// can be added or changed.
    private static let ledger = """
        CREATE TABLE ledger_transactions (
            id INTEGER PRIMARY KEY CHECK (id >= 1),
            source_event TEXT NOT NULL UNIQUE,
            order_id TEXT NOT NULL REFERENCES payments (order_id),
            kind TEXT NOT NULL CHECK (kind IN ('capture', 'refund')),
            posted_at INTEGER NOT NULL,
            previous_hash TEXT NOT NULL CHECK (length(previous_hash) = 64),
            hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64)
        ) STRICT;
        CREATE TABLE ledger_entries (
            transaction_id INTEGER NOT NULL REFERENCES ledger_transactions (id) DEFERRABLE INITIALLY DEFERRED,
            position INTEGER NOT NULL CHECK (position >= 1),
            account TEXT NOT NULL CHECK \(Schema.oneOf("account", "card_clearing", "revenue", "refunds", "suspense")),
            amount INTEGER NOT NULL,
            currency TEXT NOT NULL CHECK (length(currency) = 3),
            PRIMARY KEY (transaction_id, position)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER ledger_transactions_contiguous BEFORE INSERT ON ledger_transactions
            WHEN NEW.id <> (SELECT coalesce(max(id), 0) + 1 FROM ledger_transactions)
            BEGIN SELECT RAISE(ABORT, 'ledger transactions are numbered without gaps'); END;
        CREATE TRIGGER ledger_transactions_balanced BEFORE INSERT ON ledger_transactions
            WHEN (SELECT count(*) FROM ledger_entries WHERE transaction_id = NEW.id) < 2
                OR EXISTS (SELECT 1 FROM ledger_entries WHERE transaction_id = NEW.id GROUP BY currency HAVING sum(amount) <> 0)
            BEGIN SELECT RAISE(ABORT, 'ledger entries must sum to zero'); END;
        CREATE TRIGGER ledger_transactions_no_update BEFORE UPDATE ON ledger_transactions
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TRIGGER ledger_transactions_no_delete BEFORE DELETE ON ledger_transactions
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TRIGGER ledger_entries_closed BEFORE INSERT ON ledger_entries
            WHEN EXISTS (SELECT 1 FROM ledger_transactions WHERE id = NEW.transaction_id)
            BEGIN SELECT RAISE(ABORT, 'a ledger transaction is closed'); END;
        CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        """
}
