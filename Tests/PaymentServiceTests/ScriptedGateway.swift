import Commerce
import Messaging
import PaymentCore
import Synchronization

@testable import PaymentService

/// A gateway in memory that behaves as the test cards ask, and as the test says besides.
final class ScriptedGateway: CardGatewayClient {
    struct Entry {
        let kind: IntentKind
        let order: String
        let isDone: Bool
        let reason: String
        let reference: String
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var order: [String] = []
        var flaky: [String: Int] = [:]
        var late: [(key: String, due: Timestamp, call: GatewayCall)] = []
        var isDown = false
        var losesAnswers = false
        var losesRequests = false
        var losesLookUps = false
        var turnsAway = false
        var calls = 0
        var lookUps = 0
        var now = Timestamp(millisecondsSinceEpoch: 0)
        var voided: Set<String> = []
        var duringCall: (@Sendable () async -> Void)?
    }

    private let state = Mutex(State())

    /// Nobody listens.
    func setDown(_ isDown: Bool) { state.withLock { $0.isDown = isDown } }
    /// Everything is recorded and no call is answered.
    func setLosesAnswers(_ loses: Bool) { state.withLock { $0.losesAnswers = loses } }
    /// Nothing arrives, and the caller only sees a timeout.
    func setLosesRequests(_ loses: Bool) { state.withLock { $0.losesRequests = loses } }

    /// What happens while a call hangs, before its outcome is known.
    func setDuringCall(_ action: (@Sendable () async -> Void)?) { state.withLock { $0.duringCall = action } }

    /// No call is let in, whatever became of those before it.
    func setTurnsAway(_ turns: Bool) { state.withLock { $0.turnsAway = turns } }

    /// No look-up is answered.
    func setLosesLookUps(_ loses: Bool) { state.withLock { $0.losesLookUps = loses } }

    var keys: Set<String> { state.withLock { Set($0.entries.keys) } }
    var orders: Set<String> { state.withLock { Set($0.entries.values.map(\.order)) } }
    var calls: Int { state.withLock { $0.calls } }
    var lookUps: Int { state.withLock { $0.lookUps } }

    func captures(of order: String) -> Int { count(.capture, order) }
    func refunds(of order: String) -> Int { count(.refund, order) }

    func count(_ kind: IntentKind, _ order: String) -> Int {
        state.withLock { $0.entries.values.count { $0.kind == kind && $0.isDone && $0.order == order } }
    }

    /// The key and entry of an operation of an order.
    func entry(_ kind: IntentKind, _ order: String) -> (key: String, entry: Entry)? {
        state.withLock { state in
            state.entries.first { $0.value.kind == kind && $0.value.order == order }.map { ($0.key, $0.value) }
        }
    }

    /// Moves time: late captures land 20 s after they were asked for.
    func tick(_ now: Timestamp) {
        state.withLock { state in
            state.now = now
            for item in state.late where item.due <= now { Self.record(item.call, isLate: true, &state) }
            state.late.removeAll { $0.due <= now }
        }
    }

    func call(_ call: GatewayCall) async -> GatewayAnswer {
        if let action = state.withLock({ $0.duringCall }) { await action() }
        return state.withLock { state in
            guard !state.isDown else { return .notSent(note: "connection_refused") }
            state.calls += 1
            if state.losesRequests { return .unclear(note: "timeout") }
            if state.turnsAway { return .turnedAway(reason: "gateway-rejected") }
            let isForMoney = call.kind.isGivenUp
            switch call.card.text {
            case "tok_flaky" where isForMoney && state.flaky[call.key, default: 0] < 2:
                state.flaky[call.key, default: 0] += 1
                return .unclear(note: "status 503")
            case "tok_late" where call.kind == .capture:
                if state.entries[call.key] == nil, !state.late.contains(where: { $0.key == call.key }) {
                    state.late.append((call.key, state.now.advanced(byMilliseconds: 20_000), call))
                }
                return .unclear(note: "timeout")
            case "tok_timeout" where isForMoney, "tok_garbage" where isForMoney:
                Self.record(call, &state)
                return .unclear(note: "no answer")
            default:
                Self.record(call, &state)
                return state.losesAnswers ? .unclear(note: "timeout") : Self.known(call.key, state)
            }
        }
    }

    func lookUp(_ call: GatewayCall) async -> GatewayAnswer {
        state.withLock { state in
            guard !state.isDown else { return .notSent(note: "connection_refused") }
            state.lookUps += 1
            if state.losesLookUps { return .unclear(note: "timeout") }
            return Self.known(call.key, state)
        }
    }

    private static func known(_ key: String, _ state: State) -> GatewayAnswer {
        guard let entry = state.entries[key] else { return .notFound }
        return entry.isDone ? .done(reference: entry.reference) : .refused(reason: entry.reason)
    }

    private static func record(_ call: GatewayCall, isLate: Bool = false, _ state: inout State) {
        guard state.entries[call.key] == nil else { return }
        let order = call.orderID.text
        func count(_ kind: IntentKind) -> Int {
            state.entries.values.count { $0.kind == kind && $0.isDone && $0.order == order }
        }
        let refusal: String? =
            switch call.kind {
            case .authorize:
                switch call.card.text {
                case "tok_declined": "card-declined"
                case "tok_insufficient_funds": "insufficient-funds"
                case "tok_unknown": "unknown-card"
                default: nil
                }
            case .capture:
                count(.capture) > 0 ? "already-captured" : state.voided.contains(order) && !isLate ? "voided" : nil
            case .void: count(.capture) > 0 ? "already-captured" : nil
            case .refund: count(.refund) >= count(.capture) ? "already-refunded" : nil
            }
        if call.kind == .void, refusal == nil { state.voided.insert(order) }
        state.order.append(call.key)
        state.entries[call.key] = Entry(
            kind: call.kind,
            order: order,
            isDone: refusal == nil,
            reason: refusal ?? "",
            reference: "\(call.kind.rawValue)_\(state.order.count)"
        )
    }
}
