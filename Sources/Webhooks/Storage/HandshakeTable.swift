import DurableStore
import Foundation
import GRDB
public import Messaging

/// Every statement on `webhook_handshakes`.
struct HandshakeTable {
    let db: Database

    /// A handshake that is due.
    struct Due: Sendable {
        let endpointID: String
        let token: String
        let attempts: Int
    }

    private static let columns = "endpoint_id, token, attempts, next_at, asked_at, result, granted_at"

    /// Begins a handshake, or begins it again: now, with a new token.
    func ask(_ endpoint: String, at now: Timestamp) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO webhook_handshakes (endpoint_id, token, next_at) VALUES (?, ?, ?)
                ON CONFLICT (endpoint_id) DO UPDATE SET token = excluded.token, next_at = excluded.next_at, attempts = 0,
                    asked_at = NULL, result = NULL, granted_at = NULL
                """
        ).run([endpoint, Self.token(), now.millisecondsSinceEpoch])
    }

    /// Endpoints that are to be asked now.
    func due(at now: Timestamp, limit: Int) throws -> [String] {
        try String.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT h.endpoint_id FROM webhook_handshakes h JOIN webhook_endpoints e ON e.id = h.endpoint_id
                    WHERE (h.next_at <= ?1 OR h.next_at IS NULL AND h.granted_at IS NULL AND h.asked_at <= ?2)
                        AND e.state = 'pending_verification'
                    ORDER BY h.next_at LIMIT ?3
                    """
            ),
            arguments: [
                now.millisecondsSinceEpoch,
                now.advanced(byMilliseconds: -WebhookHandshake.lostAfter).millisecondsSinceEpoch, limit,
            ]
        )
    }

    func find(_ endpoint: String) throws -> WebhookHandshake? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT \(Self.columns) FROM webhook_handshakes WHERE endpoint_id = ?"),
            arguments: [endpoint]
        ).map(Self.handshake)
    }

    /// By the token of its consent address.
    func find(token: String) throws -> WebhookHandshake? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT \(Self.columns) FROM webhook_handshakes WHERE token = ?"),
            arguments: [token]
        ).map(Self.handshake)
    }

    func isGranted(_ endpoint: String) throws -> Bool { try find(endpoint)?.grantedAt != nil }

    /// Notes that a receiver is asked, before it is.
    func markAsked(_ endpoint: String, next: Timestamp?, at now: Timestamp) throws {
        try db.cachedStatement(
            sql:
                "UPDATE webhook_handshakes SET attempts = attempts + 1, asked_at = ?, next_at = ? WHERE endpoint_id = ?"
        ).run([now.millisecondsSinceEpoch, next?.millisecondsSinceEpoch, endpoint])
    }

    func note(_ endpoint: String, result: String) throws {
        try db.cachedStatement(sql: "UPDATE webhook_handshakes SET result = ? WHERE endpoint_id = ?")
            .run([result, endpoint])
    }

    func grant(_ endpoint: String, at now: Timestamp) throws {
        try db.cachedStatement(
            sql:
                "UPDATE webhook_handshakes SET granted_at = ?, next_at = NULL, result = 'granted' WHERE endpoint_id = ?"
        ).run([now.millisecondsSinceEpoch, endpoint])
    }

    private static func handshake(_ row: Row) -> WebhookHandshake {
        func time(_ index: Int) -> Timestamp? { (row[index] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:)) }
        return WebhookHandshake(
            endpointID: row[0],
            attempts: row[2],
            nextAt: time(3),
            askedAt: time(4),
            result: row[5],
            grantedAt: time(6),
            token: row[1]
        )
    }

    /// 32 hexadecimal digits that nobody can guess.
    private static func token() -> String {
        (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// What is known of a receiver's consent.
public struct WebhookHandshake: Sendable {
    /// The endpoint.
    public let endpointID: String
    /// How often it was asked.
    public let attempts: Int
    /// When it is asked again; `nil` when it is not.
    public let nextAt: Timestamp?
    /// When it was asked last.
    public let askedAt: Timestamp?
    /// What came of it.
    public let result: String?
    /// When it agreed.
    public let grantedAt: Timestamp?
    let token: String

    /// A last question without a word about its answer is asked again after so many milliseconds: more than any answer takes.
    public static let lostAfter: Int64 = 120_000

    /// Whether the receiver is to be asked now.
    func isDue(at now: Timestamp) -> Bool {
        if let nextAt { return nextAt <= now }
        guard grantedAt == nil, let askedAt else { return false }
        return now.milliseconds(since: askedAt) >= Self.lostAfter
    }
}
