/// When to send a heartbeat and when to give the peer up (AMQP 0-9-1, section 4.2.7).
///
/// Any traffic counts as a sign of life, in both directions. With interval zero, heartbeats are off.
struct HeartbeatMonitor {
    /// What to do now.
    enum Verdict: Equatable {
        /// Nothing before this moment; nil when heartbeats are off.
        case idle(until: ContinuousClock.Instant?)
        /// Send a heartbeat.
        case send
        /// The peer has been silent for two intervals.
        case peerIsSilent
    }

    private let interval: Duration
    private var lastSent: ContinuousClock.Instant
    private var lastReceived: ContinuousClock.Instant

    init(interval: Duration, now: ContinuousClock.Instant) {
        self.interval = interval
        self.lastSent = now
        self.lastReceived = now
    }

    mutating func sent(at now: ContinuousClock.Instant) { lastSent = now }
    mutating func received(at now: ContinuousClock.Instant) { lastReceived = now }

    func verdict(at now: ContinuousClock.Instant) -> Verdict {
        guard interval > .zero else { return .idle(until: nil) }
        let silentAt = lastReceived + interval * 2
        if now >= silentAt { return .peerIsSilent }
        let sendAt = lastSent + interval / 2
        if now >= sendAt { return .send }
        return .idle(until: min(silentAt, sendAt))
    }
}
