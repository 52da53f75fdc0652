/// What a connection does about bodies that are too large and clients that are too slow.
///
/// ```
///            head                     end
///   idle ───────────► reading ─────────────────► idle
///                        │ body over the bound, announced length over the bound, or a parse error in the body
///                        ▼
///                   discarding ── response ended ──► lingering ── time or end of body ──► closed
/// ```
///
/// While discarding, the part that crossed the bound is still handed on (so that a handler that reads sees it and answers 413),
/// later ones are dropped unread; the response says `Connection: close`. Lingering keeps reading and dropping for a moment after our
/// side is closed: closing at once would make the kernel reset the connection and could destroy the answer on its way.
struct ConnectionGuardState {
    private enum Inbound {
        case idle
        case reading(bytes: Int)
        case discarding
    }

    enum BodyAction: Equatable {
        case forward
        case drop
        /// The answer is out already and the rest is not wanted: close our side.
        case linger
    }

    enum EndAction: Equatable {
        case forward
        case close
    }

    enum ResponseEndAction: Equatable {
        case keep
        case linger
    }

    let maxBodyBytes: Int
    private var inbound = Inbound.idle
    private var inFlight = 0
    private(set) var isLingering = false

    init(maxBodyBytes: Int) {
        self.maxBodyBytes = maxBodyBytes
    }

    /// Whether the rest of a request is awaited, so that its deadline counts.
    var isReading: Bool {
        switch inbound {
        case .idle: false
        case .reading, .discarding: true
        }
    }

    /// Whether the response that is about to start is the connection's last.
    var mustCloseAfterResponse: Bool {
        if case .discarding = inbound { return true }
        return false
    }

    /// Whether no request waits for a response: then a response can only be the server's answer to bytes that are no HTTP.
    var isBetweenRequests: Bool { inFlight == 0 }

    mutating func receivedHead(contentLength: Int?) {
        inFlight += 1
        inbound = (contentLength ?? 0) > maxBodyBytes ? .discarding : .reading(bytes: 0)
    }

    mutating func receivedBody(_ count: Int) -> BodyAction {
        guard case .reading(let bytes) = inbound else { return .drop }
        let (total, overflow) = bytes.addingReportingOverflow(count)
        guard overflow || total > maxBodyBytes else {
            inbound = .reading(bytes: total)
            return .forward
        }
        inbound = .discarding
        guard inFlight == 0 else { return .forward }
        isLingering = true
        return .linger
    }

    mutating func receivedEnd() -> EndAction {
        if isLingering { return .close }
        // A request that went over the bound stays the last one, also when all of it has come.
        if case .discarding = inbound { return .forward }
        inbound = .idle
        return .forward
    }

    /// The bytes stopped being HTTP. Inside a body that makes this request the last one.
    mutating func receivedParseError() {
        if case .reading = inbound { inbound = .discarding }
    }

    mutating func sentEnd() -> ResponseEndAction {
        inFlight = max(0, inFlight - 1)
        if case .discarding = inbound, inFlight == 0 {
            isLingering = true
            return .linger
        }
        return .keep
    }
}
