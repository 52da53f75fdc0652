import DurableStore
import GRDB
import Messaging

/// A delivery whose attempt is due.
struct DueDelivery: Sendable, Identifiable {
    /// The delivery's seq.
    let id: Int64
    let endpointID: String
}

/// Picks what is due: fairly between endpoints, and within an endpoint between new events and retries.
struct DueDeliveries {
    let db: Database
    let gate: EndpointGate

    private struct Candidate {
        let id: String
        let maximum: Int
        /// Requests per minute.
        let throttle: Int?
        let holdUntil: Timestamp?
        let breaker: Breaker
    }

    /// Deliveries that may begin now; each is entered at the gate.
    func take(at now: Timestamp, limit: Int, excluding: Set<Int64>) throws -> [DueDelivery] {
        var queues: [(endpoint: Candidate, items: [Int64])] = []
        for endpoint in try candidates() where (endpoint.holdUntil ?? now) <= now {
            let permits = endpoint.breaker.permits(upTo: endpoint.maximum, at: now)
            let room = gate.room(of: endpoint.id, permits: max(permits, 1), throttle: endpoint.throttle, at: now)
            guard room > 0 else { continue }
            // Behind an open breaker only what a person asked for goes.
            let items =
                try permits > 0
                ? due(endpoint, at: now, room: room, excluding: excluding)
                : asked(endpoint, at: now, excluding: excluding)
            if !items.isEmpty { queues.append((endpoint, items)) }
        }
        guard !queues.isEmpty else { return [] }
        var taken: [DueDelivery] = []
        let start = gate.nextRotation()
        var round = 0
        var isAnyLeft = true
        while isAnyLeft, taken.count < limit {
            isAnyLeft = false
            for offset in queues.indices where taken.count < limit {
                let queue = queues[(start + offset) % queues.count]
                guard round < queue.items.count else { continue }
                isAnyLeft = true
                gate.enter(queue.endpoint.id, throttle: queue.endpoint.throttle)
                taken.append(DueDelivery(id: queue.items[round], endpointID: queue.endpoint.id))
            }
            round += 1
        }
        return taken
    }

    /// When the next delivery may begin; `nil` when nothing waits for time.
    func next(at now: Timestamp) throws -> Timestamp? {
        var earliest: Timestamp?
        for endpoint in try candidates() {
            let permits = endpoint.breaker.openUntil == nil ? endpoint.maximum : 1
            guard
                gate.room(of: endpoint.id, permits: permits, throttle: nil, at: now) > 0,
                let due = try earliestAttempt(of: endpoint.id)
            else { continue }
            var time = Timestamp(millisecondsSinceEpoch: due)
            if let hold = endpoint.holdUntil { time = max(time, hold) }
            if let open = endpoint.breaker.openUntil { time = max(time, open) }
            if let throttled = gate.throttledUntil(endpoint.id, throttle: endpoint.throttle, at: now) {
                time = max(time, throttled)
            }
            earliest = min(earliest ?? time, time)
        }
        return earliest
    }

    private func earliestAttempt(of endpoint: String) throws -> Int64? {
        try db.cachedStatement(
            sql: """
                SELECT min(at) FROM (
                    SELECT min(next_attempt_at) AS at FROM webhook_deliveries
                        WHERE endpoint_id = ?1 AND lane = 0 AND state = 'pending'
                    UNION ALL SELECT min(next_attempt_at) FROM webhook_deliveries
                        WHERE endpoint_id = ?1 AND lane = 1 AND state = 'pending')
                """
        ).first([endpoint]) { try $0[0] as Int64? } ?? nil
    }

    private func candidates() throws -> [Candidate] {
        try db.cachedStatement(
            sql: """
                SELECT id, max_in_flight, min(coalesce(throttle * 60, allowed_per_minute), coalesce(allowed_per_minute,
                    throttle * 60)), hold_until, breaker_failures, breaker_openings, breaker_until
                FROM webhook_endpoints WHERE state = 'enabled'
                """
        ).all { row in
            func time(_ index: Int) throws -> Timestamp? {
                try (row[index] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
            }
            return try Candidate(
                id: row[0],
                maximum: row[1],
                throttle: row[2],
                holdUntil: time(3),
                breaker: Breaker(failures: row[4], openings: row[5], openUntil: time(6))
            )
        }
    }

    /// At most `room`, alternating between the two lanes.
    private func due(_ endpoint: Candidate, at now: Timestamp, room: Int, excluding: Set<Int64>) throws -> [Int64] {
        // Those being begun are still `pending` for a moment; there are at most `maximum` of them.
        let limit = endpoint.maximum + room
        let statement = try db.cachedStatement(
            sql: """
                SELECT seq FROM webhook_deliveries WHERE endpoint_id = ? AND lane = ? AND state = 'pending'
                    AND next_attempt_at <= ? ORDER BY next_attempt_at, seq LIMIT ?
                """
        )
        let lanes = try (0...1).map { lane in
            try statement.all([endpoint.id, lane, now.millisecondsSinceEpoch, limit]) { try $0[0] as Int64 }
                .filter { !excluding.contains($0) }
        }
        var items: [Int64] = []
        for index in 0..<max(lanes[0].count, lanes[1].count) {
            // The probe behind a breaker is a retry: what failed before tells most.
            for lane in endpoint.breaker.openUntil == nil ? lanes : lanes.reversed()
            where index < lane.count && items.count < room { items.append(lane[index]) }
        }
        return items
    }

    private func asked(_ endpoint: Candidate, at now: Timestamp, excluding: Set<Int64>) throws -> [Int64] {
        try db.cachedStatement(
            sql: """
                SELECT seq FROM webhook_deliveries INDEXED BY webhook_deliveries_asked
                WHERE endpoint_id = ? AND state = 'pending' AND attempt_trigger IN ('test', 'manual')
                    AND next_attempt_at <= ?
                ORDER BY next_attempt_at, seq LIMIT 1
                """
        ).all([endpoint.id, now.millisecondsSinceEpoch]) { try $0[0] as Int64 }.filter { !excluding.contains($0) }
    }
}
