import DurableStore
import Foundation
import GRDB
import Messaging
import StrictJSON

/// Every statement on `webhook_attempts`.
struct AttemptTable {
    let db: Database

    func insert(
        id: String,
        delivery: Int64,
        number: Int,
        trigger: Delivery.Trigger,
        url: String,
        requestHeaders: String,
        at now: Timestamp
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO webhook_attempts (id, delivery_seq, number, attempt_trigger, state, started_at, url, request_headers)
                VALUES (?, ?, ?, ?, 'started', ?, ?, ?)
                """
        ).run([id, delivery, number, trigger.rawValue, now.millisecondsSinceEpoch, url, requestHeaders])
    }

    /// Adds what came of an attempt.
    func finish(_ id: String, state: String, exchange: WebhookExchange, next: Timestamp?, at now: Timestamp) throws {
        var answer: AttemptAnswer?
        var code: String?
        var detail: String?
        switch exchange.result {
        case .answered(let given): answer = given
        case .failed(let fault, let text):
            code = fault.rawValue
            detail = text
        }
        let timings = exchange.timings
        try db.cachedStatement(
            sql: """
                UPDATE webhook_attempts SET state = ?, ended_at = ?, address = ?, status = ?, code = ?, detail = ?,
                    response_headers = ?, response_body = ?, response_truncated = ?, resolve_us = ?, connect_us = ?, tls_us = ?,
                    first_byte_us = ?, total_us = ?, next_attempt_at = ?
                WHERE id = ? AND state = 'started'
                """
        ).run([
            state, now.millisecondsSinceEpoch, exchange.address?.description, answer?.status, code, detail,
            answer.map { Self.text($0.headers.map { ($0.name, $0.value) }) },
            answer.flatMap { $0.body.isEmpty ? nil : Blob($0.body) }, answer?.isTruncated, timings.resolve,
            timings.connect,
            timings.tls, timings.firstByte, timings.total, next?.millisecondsSinceEpoch, id,
        ])
    }

    func list(of seq: Int64, limit: Int) throws -> [DeliveryAttempt] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT id, number, attempt_trigger, state, started_at, ended_at, url, address, status, code, detail,
                        request_headers, response_headers, response_body, response_truncated, resolve_us, connect_us, tls_us,
                        first_byte_us, total_us, next_attempt_at
                    FROM webhook_attempts WHERE delivery_seq = ? ORDER BY number DESC LIMIT ?
                    """
            ),
            arguments: [seq, limit]
        ).map { row in
            guard let trigger = Delivery.Trigger(rawValue: row[2]) else {
                throw CorruptWebhookRow(table: "webhook_attempts")
            }
            var timings = WebhookExchange.Timings()
            timings.resolve = row[15]
            timings.connect = row[16]
            timings.tls = row[17]
            timings.firstByte = row[18]
            timings.total = row[19] ?? 0
            return DeliveryAttempt(
                id: row[0],
                number: row[1],
                trigger: trigger,
                state: row[3],
                startedAt: Timestamp(millisecondsSinceEpoch: row[4]),
                endedAt: (row[5] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:)),
                url: row[6],
                address: row[7],
                status: row[8],
                code: row[9],
                detail: row[10],
                requestHeaders: row[11],
                responseHeaders: row[12],
                responseBody: (row[13] as Data?).map { [UInt8]($0) },
                isTruncated: row[14] ?? false,
                timings: timings,
                nextAttemptAt: (row[20] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
            )
        }
    }

    /// Headers as a JSON array of pairs.
    static func text(_ headers: [(name: String, value: String)]) -> String {
        let value = JSONValue.array(headers.map { .array([.string($0.name), .string($0.value)]) })
        return String(decoding: StrictJSON.encode(value), as: UTF8.self)
    }
}
