import Messaging
import Synchronization

/// Who is on the wire, and who may go next: one bulkhead per endpoint within one bound for all. Lives in memory; what must
/// survive (holds, breakers) is in rows.
final class EndpointGate: Sendable {
    private struct Lane {
        var inFlight = 0
        /// The present bound: halved by answers that ask for it, one more after each success, up to the endpoint's own.
        var bound = Int.max
        /// Tokens of the throttle, in sixty-thousandths: at one request per minute, one of them comes each millisecond.
        var tokens: Int64 = .max
        var refilledAt: Timestamp?
    }

    private struct State {
        var lanes: [String: Lane] = [:]
        var total = 0
        var rotation = 0
    }

    private let state = Mutex(State())
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    var inFlight: Int { state.withLock { $0.total } }

    /// Requests under way by endpoint.
    var byEndpoint: [String: Int] { state.withLock { $0.lanes.mapValues(\.inFlight).filter { $0.value > 0 } } }

    private static let wholeToken: Int64 = 60_000

    /// How many more requests an endpoint may begin now.
    ///
    /// - Parameter throttle: requests per minute.
    ///
    /// Once half of the capacity is in use, only endpoints with nothing under way get more: a crowd of slow ones cannot take
    /// what a healthy one needs.
    func room(of endpoint: String, permits: Int, throttle: Int?, at now: Timestamp) -> Int {
        state.withLock { state in
            guard state.total < capacity else { return 0 }
            var lane = state.lanes[endpoint] ?? Lane()
            var room = min(permits, lane.bound) - lane.inFlight
            if state.total >= capacity / 2 { room = min(room, lane.inFlight == 0 ? 1 : 0) }
            if let throttle {
                Self.refill(&lane, throttle, now)
                room = min(room, Int(lane.tokens / Self.wholeToken))
                state.lanes[endpoint] = lane
            }
            return max(room, 0)
        }
    }

    /// When the throttle lets the next request go.
    func throttledUntil(_ endpoint: String, throttle: Int?, at now: Timestamp) -> Timestamp? {
        guard let throttle else { return nil }
        return state.withLock { state in
            guard var lane = state.lanes[endpoint] else { return nil }
            Self.refill(&lane, throttle, now)
            state.lanes[endpoint] = lane
            guard lane.tokens < Self.wholeToken else { return nil }
            let missing = Self.wholeToken - lane.tokens + Int64(throttle) - 1
            return now.advanced(byMilliseconds: max(1, missing / Int64(throttle)))
        }
    }

    func enter(_ endpoint: String, throttle: Int?) {
        state.withLock { state in
            state.lanes[endpoint, default: Lane()].inFlight += 1
            if throttle != nil { state.lanes[endpoint]?.tokens -= Self.wholeToken }
            state.total += 1
        }
    }

    func leave(_ endpoint: String) {
        state.withLock { state in
            guard var lane = state.lanes[endpoint], lane.inFlight > 0 else { return }
            lane.inFlight -= 1
            state.total -= 1
            let isPlain = lane.inFlight == 0 && lane.bound == .max && lane.refilledAt == nil
            state.lanes[endpoint] = isPlain ? nil : lane
        }
    }

    /// Adapts the number of requests at the same time.
    func note(_ endpoint: String, slowsDown: Bool, success: Bool, maximum: Int) {
        state.withLock { state in
            guard var lane = state.lanes[endpoint] else { return }
            if slowsDown {
                lane.bound = max(1, min(lane.bound, maximum) / 2)
            } else if success, lane.bound != .max {
                lane.bound += 1
                if lane.bound >= maximum { lane.bound = .max }
            }
            state.lanes[endpoint] = lane
        }
    }

    /// A different endpoint begins each time.
    func nextRotation() -> Int {
        state.withLock { state in
            state.rotation = state.rotation &+ 1
            return state.rotation & 0xFFFF
        }
    }

    /// One twentieth of a second's worth may go at once, at least one: an overshoot of at most 5 %.
    private static func refill(_ lane: inout Lane, _ throttle: Int, _ now: Timestamp) {
        let most = max(wholeToken, Int64(throttle) * 50)
        if let refilledAt = lane.refilledAt {
            let elapsed = min(max(now.milliseconds(since: refilledAt), 0), 60_000)
            lane.tokens = min(most, lane.tokens + elapsed * Int64(throttle))
        } else {
            lane.tokens = most
        }
        lane.refilledAt = now
    }
}
