import CardGateway
import Commerce
import HTTPKit
import Messaging
import PaymentService
import StrictJSON

/// The card gateway without its sockets and files: the same book, the same cards, the same documents.
struct SimulatedGateway {
    struct Callback {
        var due: Timestamp
        let entry: LedgerEntry
        var attempts = 0
    }

    /// What is recorded; survives everything.
    private(set) var book = LedgerBook()
    private var inProgress: Set<String> = []
    private var flaky: [String: Int] = [:]
    private var landings: [(due: Timestamp, request: OperationRequest, landsLate: Bool)] = []
    private(set) var callbacks: [Callback] = []
    /// Callbacks that were sent before, for stale copies.
    private(set) var told: [LedgerEntry] = []
    /// Calls that were made, for liars.
    private(set) var heard: [GatewayCall] = []

    /// When a late operation lands, in milliseconds.
    static let lateness: Int64 = 20_000
    private static let pauses: [Int64] = [500, 2000, 5000, 15_000]

    var nextCallback: Timestamp? { callbacks.map(\.due).min() }
    var nextLanding: Timestamp? { landings.map(\.due).min() }

    mutating func hear(_ call: GatewayCall) {
        if heard.count < 200 { heard.append(call) }
    }

    /// Carries a request out. `nil`: nobody answers.
    mutating func perform(_ request: OperationRequest, at now: Timestamp, callbackAfter delay: Int64) -> HTTPReply? {
        let behaviour = CardBehaviour.of(card: book.card(of: request) ?? "", operation: request.operation)
        if let entry = book.entry(forKey: request.key) {
            guard book.matches(entry, request) else { return Self.problem(422, "idempotency-key-reused") }
            return answer(entry, behaviour)
        }
        guard !inProgress.contains(request.key) else { return Self.problem(409, "operation-in-progress") }
        switch behaviour {
        case .flaky:
            let failures = flaky[request.key, default: 0]
            if failures < CardBehaviour.flakyFailures {
                flaky[request.key] = failures + 1
                return Self.problem(503, "unavailable")
            }
        case .late:
            if request.operation == .capture {
                inProgress.insert(request.key)
                landings.append((now.advanced(byMilliseconds: Self.lateness), request, true))
                return nil
            }
        case .prompt, .declines, .silent, .garbled, .slow: break
        }
        let entry = record(request, behaviour, landsLate: false, at: now)
        announce(entry, behaviour, at: now.advanced(byMilliseconds: delay))
        return answer(entry, behaviour)
    }

    /// What is recorded under a key, as the look-up answers it.
    func lookUp(_ key: String) -> HTTPReply {
        guard let entry = book.entry(forKey: key) else { return Self.problem(404, "unknown-operation") }
        return HTTPReply(status: 200, body: StrictJSON.encode(entry.document))
    }

    /// A request that is still on its way and will be carried out although nobody waits for it any more.
    mutating func delay(_ request: OperationRequest, until due: Timestamp) {
        landings.append((due, request, false))
    }

    /// Whether a request with this key is still on its way.
    func expects(_ key: String) -> Bool { landings.contains { $0.request.key == key } }

    /// Lands what is due.
    mutating func land(at now: Timestamp) {
        let due = landings.filter { $0.due <= now }
        landings.removeAll { $0.due <= now }
        for landing in due {
            if landing.landsLate {
                inProgress.remove(landing.request.key)
                let entry = record(landing.request, .late, landsLate: true, at: now)
                announce(entry, .late, at: now.advanced(byMilliseconds: 1000))
            } else {
                _ = perform(landing.request, at: now, callbackAfter: 1000)
            }
        }
    }

    /// The next callback that is due, taken out of the queue.
    mutating func takeCallback(at now: Timestamp) -> Callback? {
        guard
            let index = callbacks.indices.filter({ callbacks[$0].due <= now }).min(by: {
                callbacks[$0].due < callbacks[$1].due
            })
        else { return nil }
        return callbacks.remove(at: index)
    }

    /// A callback was not taken: again after a while, a few times.
    mutating func again(_ callback: Callback, at now: Timestamp) {
        guard callback.attempts < Self.pauses.count else { return }
        var next = callback
        next.due = now.advanced(byMilliseconds: Self.pauses[callback.attempts])
        next.attempts += 1
        callbacks.append(next)
    }

    /// Sends a callback once more.
    mutating func `repeat`(_ entry: LedgerEntry, at due: Timestamp) {
        callbacks.append(Callback(due: due, entry: entry))
    }

    mutating func wasTold(_ entry: LedgerEntry) {
        if told.count < 200 { told.append(entry) }
    }

    private mutating func record(
        _ request: OperationRequest,
        _ behaviour: CardBehaviour,
        landsLate: Bool,
        at now: Timestamp
    ) -> LedgerEntry {
        var decline: String?
        if case .declines(let reason) = behaviour { decline = reason }
        return book.record(request, decline: decline, landsLate: landsLate, at: now)
    }

    /// As ``CardGateway/CardGateway`` does: captures and refunds always, authorizations where the caller may not have heard.
    private mutating func announce(_ entry: LedgerEntry, _ behaviour: CardBehaviour, at due: Timestamp) {
        switch entry.operation {
        case .capture, .refund: break
        case .authorize: if behaviour.answersNormally { return }
        case .void: return
        }
        callbacks.append(Callback(due: due, entry: entry))
    }

    private func answer(_ entry: LedgerEntry, _ behaviour: CardBehaviour) -> HTTPReply? {
        switch behaviour {
        case .silent: nil
        case .garbled: HTTPReply(status: 200, body: Self.garbage)
        case .prompt, .declines, .flaky, .slow, .late:
            HTTPReply(status: 200, body: StrictJSON.encode(entry.document))
        }
    }

    static let garbage: [UInt8] = Array(#"{"id":"auth_"#.utf8) + [0xFF, 0xFE, 0x00]

    /// A request is turned away unread, whatever became of those before it.
    static let turnedAway = problem(422, "invalid-value")

    private static func problem(_ status: Int, _ code: String) -> HTTPReply {
        HTTPReply(status: status, body: StrictJSON.encode(["code": .string(code)] as JSONValue))
    }
}
