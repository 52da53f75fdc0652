import DurableStore
import Foundation
import GRDB
import Messaging
import StrictJSON

/// Every statement on `webhook_messages` and `webhook_deliveries` that changes or fetches single rows.
struct DeliveryTable {
    let db: Database

    static let columns = """
        d.seq, d.id, d.message_id, d.endpoint_id, d.type, d.ordering_key, d.state, d.attempt_trigger, d.next_attempt_at,
        d.attempts, d.failures, d.last_status, d.last_code, d.reason, d.created_at, d.first_failed_at, d.completed_at,
        d.resume_state, d.resume_at, (SELECT subject FROM webhook_messages WHERE id = d.message_id), d.is_thin, d.is_binary
        """

    // MARK: Messages

    /// - Returns: whether the message is new.
    func insert(_ event: WebhookEvent, body: [UInt8], isTest: Bool, at now: Timestamp) throws -> Bool {
        try db.cachedStatement(
            sql: """
                INSERT INTO webhook_messages (id, type, subject, sequence, traceparent, body, is_test, occurred_at, created_at,
                    channels, dataref)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
                """
        ).run([
            event.id, event.type, event.subject, event.sequence, event.traceparent, Blob(body), isTest,
            event.time.millisecondsSinceEpoch, now.millisecondsSinceEpoch, Self.text(event.channels), event.dataref,
        ])
        return db.changesCount > 0
    }

    func message(_ id: String) throws -> StoredWebhook? {
        try db.cachedStatement(
            sql: """
                SELECT id, type, subject, sequence, body, is_test, traceparent, dataref, created_at
                FROM webhook_messages WHERE id = ?
                """
        ).first([id]) {
            try StoredWebhook(
                id: $0[0],
                type: $0[1],
                subject: $0[2],
                sequence: $0[3],
                body: ($0[4] as Blob).bytes,
                isTest: $0[5],
                traceparent: $0[6],
                dataref: $0[7],
                createdAt: Timestamp(millisecondsSinceEpoch: $0[8])
            )
        }
    }

    /// Removes a message's payload, and ends what would still send it.
    /// - Returns: deliveries that were ended; `nil` when there is no such message, or it was erased before.
    func erase(_ id: String, actor: String, at now: Timestamp) throws -> Int? {
        try db.cachedStatement(
            sql: """
                UPDATE webhook_messages SET body = x'', erased_at = ?, erased_by = ? WHERE id = ? AND erased_at IS NULL
                """
        ).run([now.millisecondsSinceEpoch, actor, id])
        guard db.changesCount > 0 else { return nil }
        let ended = try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = 'cancelled', next_attempt_at = NULL, reason = 'payload_erased',
                    completed_at = ?
                WHERE message_id = ? AND state IN ('pending', 'waiting', 'parked') RETURNING endpoint_id, ordering_key
                """
        ).all([now.millisecondsSinceEpoch, id]) { try (endpoint: $0[0] as String, key: $0[1] as String?) }
        for delivery in ended {
            if let key = delivery.key { try releaseNext(key: key, endpoint: delivery.endpoint, at: now) }
        }
        try db.cachedStatement(
            sql: """
                UPDATE dead_letters SET body = x'' WHERE transport = 'http'
                    AND id IN (SELECT replace(id, '-', '') FROM webhook_deliveries WHERE message_id = ?)
                """
        ).run([id])
        return ended.count
    }

    /// Whether a message can be sent no more.
    func isErased(_ id: String) throws -> Bool {
        try db.cachedStatement(sql: "SELECT erased_at IS NOT NULL FROM webhook_messages WHERE id = ?")
            .first([id]) { try $0[0] } ?? true
    }

    static func text(_ channels: [String]) -> String {
        channels.isEmpty
            ? "[]" : String(decoding: StrictJSON.encode(.array(channels.map(JSONValue.string))), as: UTF8.self)
    }

    // MARK: Deliveries

    /// Makes a delivery unless the endpoint has one for this message.
    /// - Returns: its seq; `nil` when there was one.
    func insert(
        id: String,
        message: String,
        endpoint: String,
        type: String,
        orderingKey: String?,
        state: Delivery.State,
        trigger: Delivery.Trigger,
        form: DeliveryForm,
        at now: Timestamp
    ) throws -> Int64? {
        var state = state
        if state == .pending, let orderingKey, try isKeyBusy(orderingKey, endpoint: endpoint) { state = .waiting }
        try db.cachedStatement(
            sql: """
                INSERT INTO webhook_deliveries (id, message_id, endpoint_id, type, ordering_key, state, attempt_trigger, lane,
                    next_attempt_at, created_at, completed_at, is_thin, is_binary)
                VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT (endpoint_id, message_id) DO NOTHING
                """
        ).run([
            id, message, endpoint, type, orderingKey, state.rawValue, trigger.rawValue,
            state == .pending ? now.millisecondsSinceEpoch : nil, now.millisecondsSinceEpoch,
            state == .skipped ? now.millisecondsSinceEpoch : nil, form.isThin, form.isBinary,
        ])
        return db.changesCount > 0 ? db.lastInsertedRowID : nil
    }

    func find(seq: Int64) throws -> Delivery? {
        try db.cachedStatement(sql: "SELECT \(Self.columns) FROM webhook_deliveries d WHERE d.seq = ?")
            .first([seq], Self.delivery)
    }

    func find(id: String) throws -> Delivery? {
        try db.cachedStatement(sql: "SELECT \(Self.columns) FROM webhook_deliveries d WHERE d.id = ?")
            .first([id], Self.delivery)
    }

    /// Marks that an attempt begins.
    func markSending(_ seq: Int64) throws {
        try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = 'sending', next_attempt_at = NULL, attempts = attempts + 1,
                    completed_at = NULL
                WHERE seq = ?
                """
        ).run([seq])
    }

    /// What a settled attempt leaves.
    struct Settlement {
        var state: Delivery.State
        var next: Timestamp?
        var lane = 1
        var failures: Int
        var status: Int?
        var code: String?
        var reason: String?
        var trigger: Delivery.Trigger
        var keepsResume = false
        var failedAt: Timestamp?
    }

    func settle(_ delivery: Delivery, _ settlement: Settlement, at now: Timestamp) throws {
        let isFinal = ![.pending, .sending, .waiting].contains(settlement.state)
        try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = ?, next_attempt_at = ?, lane = ?, failures = ?, last_status = ?,
                    last_code = ?, reason = ?, attempt_trigger = ?, resume_state = iif(?, resume_state, NULL),
                    resume_at = iif(?, resume_at, NULL), first_failed_at = coalesce(first_failed_at, ?), completed_at = ?
                WHERE seq = ?
                """
        ).run([
            settlement.state.rawValue, settlement.next?.millisecondsSinceEpoch, settlement.lane, settlement.failures,
            settlement.status, settlement.code, settlement.reason, settlement.trigger.rawValue, settlement.keepsResume,
            settlement.keepsResume, settlement.failedAt?.millisecondsSinceEpoch,
            isFinal ? now.millisecondsSinceEpoch : nil,
            delivery.seq,
        ])
    }

    /// Asks for an attempt now, whatever the delivery's state; its failure leads back to that state.
    func requestNow(_ delivery: Delivery, trigger: Delivery.Trigger, at now: Timestamp) throws {
        try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = 'pending', next_attempt_at = ?, lane = 0, attempt_trigger = ?,
                    resume_state = ?, resume_at = ?, completed_at = NULL
                WHERE seq = ?
                """
        ).run([
            now.millisecondsSinceEpoch, trigger.rawValue, (delivery.resume?.state ?? delivery.state).rawValue,
            (delivery.resume == nil ? delivery.nextAttemptAt : delivery.resume?.at)?.millisecondsSinceEpoch,
            delivery.seq,
        ])
    }

    /// Begins a delivery again with a fresh budget; one whose subject keeps its order waits while another of the subject is on its way.
    func restart(_ seq: Int64, trigger: Delivery.Trigger, recovery: String?, at now: Timestamp) throws {
        let waits = try isBehindAnother(seq)
        try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = ?, next_attempt_at = ?, lane = 1, failures = 0, attempt_trigger = ?,
                    resume_state = NULL, resume_at = NULL, reason = NULL, recovery_id = ?, completed_at = NULL
                WHERE seq = ?
                """
        ).run([
            (waits ? Delivery.State.waiting : .pending).rawValue, waits ? nil : now.millisecondsSinceEpoch,
            trigger.rawValue, recovery, seq,
        ])
    }

    /// Whether another delivery of the subject is on its way or stuck. Those that wait do so for this one, or for that other one.
    private func isBehindAnother(_ seq: Int64) throws -> Bool {
        try db.cachedStatement(
            sql: """
                SELECT EXISTS (SELECT 1 FROM webhook_deliveries d JOIN webhook_deliveries o
                    ON o.endpoint_id = d.endpoint_id AND o.ordering_key = d.ordering_key AND o.ordering_key IS NOT NULL
                        AND o.state IN ('pending', 'sending', 'waiting', 'parked') AND o.state <> 'waiting' AND o.seq <> d.seq
                    WHERE d.seq = ?)
                """
        ).first([seq]) { try $0[0] } ?? false
    }

    func cancelOpen(endpoint: String, at now: Timestamp) throws -> Int {
        try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = 'cancelled', next_attempt_at = NULL, reason = 'endpoint_deleted',
                    completed_at = ?
                WHERE endpoint_id = ? AND state IN ('pending', 'waiting', 'parked')
                """
        ).run([now.millisecondsSinceEpoch, endpoint])
        return db.changesCount
    }

    /// Deliveries that a process left on the wire are due again.
    /// - Returns: how many attempts that were, by endpoint.
    func recover(at now: Timestamp) throws -> [String: Int] {
        let open = try db.cachedStatement(
            sql: """
                SELECT d.endpoint_id, count(*) FROM webhook_attempts a JOIN webhook_deliveries d ON d.seq = a.delivery_seq
                WHERE a.state = 'started' GROUP BY d.endpoint_id
                """
        ).all { try (endpoint: $0[0] as String, count: $0[1] as Int) }
        try db.cachedStatement(
            sql: """
                UPDATE webhook_attempts SET state = 'interrupted', ended_at = ?, code = 'interrupted',
                    detail = 'the process ended before it was known what came of it', next_attempt_at = ?
                WHERE state = 'started'
                """
        ).run([now.millisecondsSinceEpoch, now.millisecondsSinceEpoch])
        // Its endpoint was deleted while the request was on the wire: nothing is to be sent any more.
        try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = 'cancelled', reason = 'endpoint_deleted', last_code = 'interrupted',
                    last_status = NULL, completed_at = ?
                WHERE state = 'sending' AND endpoint_id IN (SELECT id FROM webhook_endpoints WHERE state = 'deleted')
                """
        ).run([now.millisecondsSinceEpoch])
        try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = 'pending', next_attempt_at = ?, lane = 1, last_code = 'interrupted',
                    last_status = NULL
                WHERE state = 'sending'
                """
        ).run([now.millisecondsSinceEpoch])
        return Dictionary(uniqueKeysWithValues: open.map { ($0.endpoint, $0.count) })
    }

    // MARK: Order

    private func isKeyBusy(_ key: String, endpoint: String) throws -> Bool {
        try db.cachedStatement(
            sql: """
                SELECT EXISTS (SELECT 1 FROM webhook_deliveries WHERE endpoint_id = ? AND ordering_key = ?
                    AND state IN ('pending', 'sending', 'waiting', 'parked'))
                """
        ).first([endpoint, key]) { try $0[0] } ?? false
    }

    /// Lets the next delivery of a subject go, if the one before it is done.
    func releaseNext(key: String, endpoint: String, at now: Timestamp) throws {
        try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = 'pending', next_attempt_at = ?1
                WHERE state = 'waiting' AND seq = (SELECT min(seq) FROM webhook_deliveries WHERE endpoint_id = ?2
                    AND ordering_key = ?3 AND state IN ('pending', 'sending', 'waiting', 'parked'))
                """
        ).run([now.millisecondsSinceEpoch, endpoint, key])
    }

    /// Lets everything of an endpoint go that waits for its turn, when it gives order up.
    func releaseAll(endpoint: String, at now: Timestamp) throws {
        try db.cachedStatement(
            sql: """
                UPDATE webhook_deliveries SET state = 'pending', next_attempt_at = ?
                WHERE endpoint_id = ? AND state = 'waiting' AND ordering_key IS NOT NULL
                """
        ).run([now.millisecondsSinceEpoch, endpoint])
    }

    static func delivery(_ row: Columns) throws -> Delivery {
        guard let state = Delivery.State(rawValue: try row[6]), let trigger = Delivery.Trigger(rawValue: try row[7])
        else {
            throw CorruptWebhookRow(table: "webhook_deliveries")
        }
        func time(_ index: Int) throws -> Timestamp? {
            try (row[index] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
        }
        return try Delivery(
            seq: row[0],
            id: row[1],
            messageID: row[2],
            endpointID: row[3],
            type: row[4],
            subject: row[19] ?? "",
            orderingKey: row[5],
            state: state,
            trigger: trigger,
            nextAttemptAt: time(8),
            attempts: row[9],
            failures: row[10],
            lastStatus: row[11],
            lastCode: row[12],
            reason: row[13],
            createdAt: Timestamp(millisecondsSinceEpoch: row[14]),
            firstFailedAt: time(15),
            completedAt: time(16),
            form: DeliveryForm(isThin: row[20], isBinary: row[21]),
            resume: (row[17] as String?).flatMap(Delivery.State.init).map { ($0, try time(18)) }
        )
    }
}
