import Messaging
import Testing

@testable import PaymentCore

@Suite struct IntentTests {
    let policy = IntentPolicy()
    let start = Timestamp(millisecondsSinceEpoch: 1_000_000)

    func intent(_ state: IntentState, kind: IntentKind = .capture, sent: Bool = true) -> Intent {
        Intent(key: "k", kind: kind, state: state, sentAt: sent ? start : nil, dueAt: start)
    }

    @Test func everyStateTakesEveryAnswer() {
        let answers: [GatewayAnswer] = [
            .done(reference: "r"), .refused(reason: "no"), .turnedAway(reason: "no"), .notSent(note: "down"),
            .unclear(note: "timeout"), .notFound,
        ]
        for state in IntentState.allCases {
            for kind in IntentKind.allCases {
                for answer in answers {
                    for later in [0, 20_000, 100_000_000] as [Int64] {
                        var intent = intent(state, kind: kind)
                        let outcome = intent.step(
                            answer,
                            sentAt: nil,
                            now: start.advanced(byMilliseconds: later),
                            policy: policy,
                            random: 7
                        )
                        if state.isTerminal {
                            #expect(outcome == nil && intent.state == state)
                            continue
                        }
                        switch answer {
                        case .done: #expect(intent.state == .succeeded && outcome == .succeeded(reference: "r"))
                        case .refused: #expect(intent.state == .refused && outcome == .refused(reason: "no"))
                        case .notSent: #expect(outcome == nil && intent.dueAt != nil)
                        case .unclear, .turnedAway:
                            #expect(outcome == nil && (intent.state == .unknown || intent.state == .abandoned))
                        case .notFound:
                            let over = state == .unknown && kind.isGivenUp && later >= policy.window
                            #expect((outcome == .givenUp) == over)
                            #expect(!over || intent.state == .abandoned)
                        }
                        #expect(intent.state.isTerminal == (intent.dueAt == nil) || later > policy.watch)
                    }
                }
            }
        }
    }

    @Test func aRefusedConnectionMeansNotSent() {
        var intent = intent(.calling, sent: false)
        var outcome = intent.step(.notSent(note: "refused"), sentAt: nil, now: start, policy: policy, random: 0)
        #expect(outcome == .notSent)
        #expect(intent.state == .prepared)
        #expect(intent.sentAt == nil)
        #expect(intent.action(at: start, policy: policy) == .begin)
        outcome = intent.step(.notSent(note: "refused"), sentAt: nil, now: start, policy: policy, random: 0)
        #expect(outcome == nil && intent.state == .prepared, "told once")
    }

    @Test("a call that is turned away ends what is certainly not with the gateway, and nothing else")
    func aCallThatIsTurnedAwaySpeaksOfItself() {
        var first = intent(.calling, sent: false)
        var outcome = first.step(.turnedAway(reason: "bad"), sentAt: start, now: start, policy: policy, random: 0)
        #expect(outcome == .refused(reason: "bad"))
        #expect(first.state == .refused)

        // The first call may have charged: only the look-up tells.
        var repeated = intent(.unknown)
        outcome = repeated.step(.turnedAway(reason: "bad"), sentAt: start, now: start, policy: policy, random: 0)
        #expect(outcome == nil)
        #expect(repeated.state == .unknown && repeated.dueAt != nil)
        outcome = repeated.step(.done(reference: "cap_1"), sentAt: nil, now: start, policy: policy, random: 0)
        #expect(outcome == .succeeded(reference: "cap_1"))
    }

    @Test func aRefusedConnectionAfterAnUnclearCallSettlesNothing() {
        var intent = intent(.unknown)
        _ = intent.step(
            .notSent(note: "refused"),
            sentAt: nil,
            now: start.advanced(byMilliseconds: 60_000),
            policy: policy,
            random: 0
        )
        #expect(intent.state == .unknown)
    }

    @Test func theWindowClosesOnlyOnTheGatewaysWord() {
        var intent = intent(.unknown)
        let late = start.advanced(byMilliseconds: 600_000)
        var outcome = intent.step(.unclear(note: "timeout"), sentAt: nil, now: late, policy: policy, random: 0)
        #expect(outcome == nil)
        #expect(intent.state == .unknown)
        #expect(intent.action(at: late, policy: policy) == .lookUp)
        outcome = intent.step(.notFound, sentAt: nil, now: late, policy: policy, random: 0)
        #expect(outcome == .givenUp)
        #expect(intent.state == .abandoned)
        outcome = intent.step(.done(reference: "late"), sentAt: nil, now: late, policy: policy, random: 0)
        #expect(outcome == .succeeded(reference: "late"))
        #expect(intent.state == .succeeded)
    }

    @Test func givingMoneyBackIsNeverGivenUp() {
        for kind in [IntentKind.void, .refund] {
            var intent = intent(.unknown, kind: kind)
            let late = start.advanced(byMilliseconds: 1_000_000_000)
            #expect(intent.action(at: late, policy: policy) == .lookUpThenCall)
            let outcome = intent.step(.notFound, sentAt: nil, now: late, policy: policy, random: 0)
            #expect(outcome == nil)
            #expect(intent.state == .unknown && intent.dueAt != nil)
        }
    }

    @Test func backoffDoublesUpToItsCap() {
        var intent = intent(.unknown)
        var pauses: [Int64] = []
        for _ in 0..<6 {
            _ = intent.step(.unclear(note: "x"), sentAt: nil, now: start, policy: policy, random: 0)
            pauses.append(intent.dueAt?.milliseconds(since: start) ?? -1)
        }
        #expect(pauses == [250, 500, 1000, 2000, 2000, 2000])
    }

    @Test func theWatchEndsOnTheGatewaysWordAlone() {
        var intent = intent(.abandoned)
        for silence in [GatewayAnswer.unclear(note: "timeout"), .notSent(note: "down")] {
            let over = start.advanced(byMilliseconds: policy.watch)
            _ = intent.step(silence, sentAt: nil, now: over, policy: policy, random: 0)
            #expect(intent.state == .abandoned && intent.dueAt != nil)
        }
        _ = intent.step(
            .notFound,
            sentAt: nil,
            now: start.advanced(byMilliseconds: policy.watch),
            policy: policy,
            random: 0
        )
        #expect(intent.state == .abandoned)
        #expect(intent.dueAt == nil)
    }
}

@Suite struct CircuitBreakerTests {
    let start = Timestamp(millisecondsSinceEpoch: 0)

    @Test("a clock that was put back does not keep it shut")
    func aClockThatWasPutBack() {
        var breaker = CircuitBreaker(threshold: 1, base: 1000, cap: 1000)
        breaker.failed(at: start.advanced(byMilliseconds: 3_600_000))
        let probe = breaker.ask(at: start)
        #expect(probe == .granted)
        let other = breaker.ask(at: start)
        #expect(other != .granted)
    }

    @Test func signsOfLifeElsewhereBringTheProbeForwardAndNothingElse() {
        var breaker = CircuitBreaker(threshold: 1, base: 1000, cap: 1000)
        breaker.probe(from: start)
        #expect(breaker.state == .closed(failures: 0))
        breaker.failed(at: start)
        breaker.probe(from: start.advanced(byMilliseconds: 10))
        #expect(breaker.state == .open(until: start.advanced(byMilliseconds: 10)))
        breaker.probe(from: start.advanced(byMilliseconds: 20))
        #expect(breaker.state == .open(until: start.advanced(byMilliseconds: 10)))
        let granted = breaker.ask(at: start.advanced(byMilliseconds: 20))
        #expect(granted == .granted)
        breaker.probe(from: start.advanced(byMilliseconds: 30))
        #expect(breaker.state == .halfOpen(until: start.advanced(byMilliseconds: 10_020)))
    }

    @Test func opensProbesAndCloses() {
        var breaker = CircuitBreaker(threshold: 3, base: 100, cap: 250)
        var granted = breaker.ask(at: start)
        #expect(granted == .granted)
        for _ in 0..<3 { breaker.failed(at: start) }
        granted = breaker.ask(at: start)
        #expect(granted == .refused(until: start.advanced(byMilliseconds: 100)))
        let later = start.advanced(byMilliseconds: 100)
        granted = breaker.ask(at: later)
        #expect(granted == .granted)
        granted = breaker.ask(at: later)
        #expect(granted != .granted, "one probe at a time")
        breaker.failed(at: later)
        #expect(breaker.state == .open(until: later.advanced(byMilliseconds: 200)))
        let third = later.advanced(byMilliseconds: 200)
        granted = breaker.ask(at: third)
        #expect(granted == .granted)
        var reopened = breaker.answered()
        #expect(reopened)
        #expect(breaker.state == .closed(failures: 0))
        reopened = breaker.answered()
        #expect(!reopened)
    }

    @Test func aLostProbeIsReplaced() {
        var breaker = CircuitBreaker(threshold: 1, base: 100, cap: 100)
        breaker.failed(at: start)
        let probe = start.advanced(byMilliseconds: 100)
        let first = breaker.ask(at: probe)
        let second = breaker.ask(at: probe.advanced(byMilliseconds: 10_000))
        #expect(first == .granted && second == .granted)
    }

    @Test func aProbeThatShowsNothingMakesRoomForTheNext() {
        var breaker = CircuitBreaker(threshold: 1, base: 100, cap: 100)
        breaker.failed(at: start)
        let later = start.advanced(byMilliseconds: 100)
        let first = breaker.ask(at: later)
        breaker.inconclusive(at: later)
        let second = breaker.ask(at: later)
        let third = breaker.ask(at: later)
        #expect(first == .granted && second == .granted && third != .granted)
    }

    @Test func successesInBetweenKeepItClosed() {
        var breaker = CircuitBreaker(threshold: 2)
        for _ in 0..<10 {
            breaker.failed(at: start)
            _ = breaker.answered()
        }
        let granted = breaker.ask(at: start)
        #expect(granted == .granted)
    }

    @Test func theTimeOpenIsCapped() {
        var breaker = CircuitBreaker(threshold: 1, base: 100, cap: 1000)
        var now = start
        for _ in 0..<80 {
            breaker.failed(at: now)
            guard case .open(let until) = breaker.state else {
                Issue.record("must be open")
                return
            }
            #expect(until.milliseconds(since: now) <= 1000)
            now = until
            _ = breaker.ask(at: now)
        }
    }
}
