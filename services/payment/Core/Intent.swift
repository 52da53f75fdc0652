public import Messaging

/// One thing that is to happen once at the gateway, under one idempotency key. See ``IntentState`` for the graph.
///
/// A plain value: `step` says what an answer means, the caller stores the result.
public struct Intent: Sendable, Hashable {
    /// The idempotency key; a row before the gateway ever sees it (M7).
    public let key: String
    /// What is to happen.
    public let kind: IntentKind
    /// 1, and one more for each refund that the gateway refused.
    public let round: Int
    /// How far it has come.
    public var state: IntentState
    /// When the first call was begun whose answer was lost; `nil` while there was none. A call that is `calling` now has not set it yet.
    public var sentAt: Timestamp?
    /// When something must be done about it; `nil` when nothing is left to do.
    public var dueAt: Timestamp?
    /// Tries since the last change of state, for the backoff.
    public var tries: Int
    /// The gateway's name for what happened.
    public var reference: String?
    /// Why the gateway refused, or what was unclear last. At most 200 bytes.
    public var note: String?

    /// Makes an intent; see the properties.
    public init(
        key: String,
        kind: IntentKind,
        round: Int = 1,
        state: IntentState = .calling,
        sentAt: Timestamp? = nil,
        dueAt: Timestamp?,
        tries: Int = 0,
        reference: String? = nil,
        note: String? = nil
    ) {
        self.key = key
        self.kind = kind
        self.round = round
        self.state = state
        self.sentAt = sentAt
        self.dueAt = dueAt
        self.tries = tries
        self.reference = reference
        self.note = note
    }

    /// What an intent that is due needs next.
    public enum Action: Sendable, Hashable {
        /// Store `calling`, then call: it is certain that nothing was sent.
        case begin
        /// Call with the key.
        case call
        /// Ask by key; when nothing is recorded and the window is open, call again with the same key.
        case lookUpThenCall
        /// Ask by key.
        case lookUp
        /// Nothing.
        case rest
    }

    /// What to do about the intent now.
    public func action(at now: Timestamp, policy: IntentPolicy) -> Action {
        switch state {
        case .prepared: .begin
        case .calling: .call
        case .unknown: windowIsOpen(at: now, policy: policy) ? .lookUpThenCall : .lookUp
        case .abandoned: .lookUp
        case .succeeded, .refused, .withdrawn: .rest
        }
    }

    /// Turns a call of which nobody knows how far it came into one that is asked for, at once, before it is repeated.
    /// - Returns: no when that changes nothing, because it is not such a call.
    public mutating func mayHaveBeenSent(at now: Timestamp) -> Bool {
        guard state == .calling, dueAt != nil else { return false }
        state = .unknown
        sentAt = sentAt ?? now
        dueAt = now
        tries = 0
        return true
    }

    /// What a step changed for the payment.
    public enum Outcome: Sendable, Hashable {
        /// Done, under this name.
        case succeeded(reference: String)
        /// Not done, for good.
        case refused(reason: String)
        /// No longer waited for. It may still land, and then a second outcome follows.
        case givenUp
        /// The first call certainly never left: it waits to be begun again, and until then it can be taken back. What it comes
        /// to follows.
        case notSent
    }

    /// Takes an answer in. Total: an answer to a settled intent changes nothing, so an answer may come twice and late.
    ///
    /// - Parameters:
    ///   - answer: what the exchange told.
    ///   - sentAt: when the call was begun, if this exchange included one.
    ///   - now: the present.
    ///   - random: 64 random bits, for jitter.
    /// - Returns: what the payment must be told, if anything.
    public mutating func step(
        _ answer: GatewayAnswer,
        sentAt began: Timestamp?,
        now: Timestamp,
        policy: IntentPolicy,
        random: UInt64
    ) -> Outcome? {
        guard !state.isTerminal else { return nil }
        switch answer {
        case .done(let name):
            settle(.succeeded)
            reference = name
            note = nil
            return .succeeded(reference: name)
        case .refused(let reason):
            settle(.refused)
            note = String(reason.prefix(100))
            return .refused(reason: reason)
        case .turnedAway(let reason):
            // A request that was sent earlier may have been taken, and may even still be on its way: only a look-up can tell.
            guard state == .calling && sentAt == nil || Sabotage.isOn("turned-away-is-a-refusal") else {
                note = String(reason.prefix(100))
                return remainUnclear(began, now: now, policy: policy, random: random)
            }
            settle(.refused)
            note = String(reason.prefix(100))
            return .refused(reason: reason)
        case .notSent(let why):
            note = String(why.prefix(100))
            postpone(cap: policy.patientCap, now: now, policy: policy, random: random)
            // Only a first call that never left is certainly unknown to the gateway.
            guard state == .calling, sentAt == nil else { return nil }
            state = .prepared
            return .notSent
        case .unclear where Sabotage.isOn("timeout-is-a-refusal"):
            settle(.refused)
            return .refused(reason: "timeout")
        case .unclear(let why):
            note = String(why.prefix(100))
            return remainUnclear(began, now: now, policy: policy, random: random)
        case .notFound:
            if state == .unknown, kind.isGivenUp, !windowIsOpen(at: now, policy: policy) {
                state = .abandoned
                tries = 0
                postpone(cap: policy.patientCap, now: now, policy: policy, random: random)
                if Sabotage.isOn("abandoned-not-watched") { dueAt = nil }
                return .givenUp
            }
            // The watch ends on the gateway's word alone: what could not be asked may have landed.
            if state == .abandoned, let sentAt, now.milliseconds(since: sentAt) >= policy.watch {
                dueAt = nil
                return nil
            }
            return remainUnclear(began, now: now, policy: policy, random: random)
        }
    }

    private mutating func settle(_ final: IntentState) {
        state = final
        dueAt = nil
        tries = 0
    }

    private mutating func remainUnclear(
        _ began: Timestamp?,
        now: Timestamp,
        policy: IntentPolicy,
        random: UInt64
    ) -> Outcome? {
        if state == .prepared || state == .calling {
            state = .unknown
            tries = 0
        }
        sentAt = sentAt ?? began ?? now
        let patient = state == .abandoned || !kind.isGivenUp || !windowIsOpen(at: now, policy: policy)
        postpone(cap: patient ? policy.patientCap : policy.lookupCap, now: now, policy: policy, random: random)
        return nil
    }

    private mutating func postpone(cap: Int64, now: Timestamp, policy: IntentPolicy, random: UInt64) {
        dueAt = now.advanced(byMilliseconds: policy.pause(afterTries: tries, cap: cap, random: random))
        tries = min(tries + 1, 1000)
    }

    /// Whether calls may still be repeated. Giving money back has no window.
    private func windowIsOpen(at now: Timestamp, policy: IntentPolicy) -> Bool {
        guard kind.isGivenUp, let sentAt else { return true }
        return now.milliseconds(since: sentAt) < policy.window
    }
}
