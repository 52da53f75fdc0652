import Messaging
import Testing

@testable import Webhooks

private let noon = Timestamp(millisecondsSinceEpoch: 1_767_268_800_000)

@Suite("What an answer means")
struct OutcomeTests {
    private func verdict(
        _ status: Int,
        _ headers: [(String, String)] = [],
        terminal: Set<Int> = [410]
    ) -> AttemptVerdict {
        let answer = AttemptAnswer(status: status, headers: headers.map { .init($0.0, $0.1) })
        return AttemptVerdict(.answered(answer), terminalStatuses: terminal, now: noon)
    }

    @Test func only2xxIsSuccess() {
        for status in 100...599 {
            let fate = verdict(status).fate
            switch status {
            case 200...299: #expect(fate == .delivered)
            case 410: #expect(fate == .terminal(reason: "gone"))
            default: #expect(fate == .again)
            }
        }
        #expect(verdict(204, [("webhook-delivery", "disable"), ("retry-after", "60")]) == verdict(204))
    }

    @Test func goneDisables() {
        #expect(verdict(410).disable == .gone)
        #expect(verdict(410, terminal: []).fate == .again)
        #expect(verdict(410, terminal: []).disable == nil)
        #expect(verdict(422, terminal: [410, 422]).fate == .terminal(reason: "terminal_status"))
        #expect(verdict(422, terminal: [410, 422]).disable == nil)
    }

    @Test func tooManyRequestsHolds() {
        #expect(verdict(429).holdUntil == noon.advanced(by: .seconds(60)))
        #expect(verdict(429, [("Retry-After", "5")]).holdUntil == noon.advanced(by: .seconds(5)))
        #expect(verdict(503, [("retry-after", "120")]).holdUntil == noon.advanced(by: .seconds(120)))
        #expect(verdict(500).holdUntil == nil)
        #expect([429, 502, 504].allSatisfy { verdict($0).slowsDown } && !verdict(500).slowsDown)
    }

    @Test func theReceiverMayDecide() {
        #expect(verdict(500, [("Webhook-Delivery", "abort-message")]).fate == .terminal(reason: "aborted_by_receiver"))
        #expect(verdict(500, [("webhook-delivery", "disable")]).disable == .receiverRequest)
    }

    @Test func faultsAreTriedAgain() {
        for fault in AttemptFault.allCases {
            #expect(AttemptVerdict(.failed(fault, detail: ""), terminalStatuses: [410], now: noon).fate == .again)
        }
    }

    @Test(arguments: [
        ("0", nil), ("5", 5), (" 7 ", 7), ("86400", 86_400), ("99999999999999999999", 86_400), ("-1", nil),
        ("1.5", nil), ("", nil),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60), ("Thu, 01 Jan 2026 11:59:59 GMT", nil),
        ("Fri, 02 Jan 2037 12:00:00 GMT", 86_400),
        ("Thu, 32 Jan 2026 12:01:00 GMT", nil), ("Thursday", nil),
    ])
    func retryAfter(_ text: String, _ seconds: Int64?) {
        #expect(RetryAfter.time(text, at: noon) == seconds.map { noon.advanced(byMilliseconds: $0 * 1000) })
    }

    @Test func theStandardScheduleIs75Hours35Minutes() throws {
        let schedule = try #require(RetrySchedule(delays: RetrySchedule.standard.delays, jitterPercent: 0))
        var now = noon
        for failures in 1...9 {
            let next = schedule.next(afterFailures: failures, at: now, floor: nil, random: .max)
            now = try #require(next)
        }
        #expect(now.milliseconds(since: noon) == (75 * 3600 + 35 * 60 + 5) * 1000)
        #expect(schedule.next(afterFailures: 10, at: now, floor: nil, random: 0) == nil)
        #expect(schedule.maximumAttempts == 10)
    }

    @Test func jitterStaysWithinAFifthAndAfterAFloorOnlyAdds() throws {
        var generator = SystemRandomNumberGenerator()
        let schedule = RetrySchedule.standard
        for _ in 0..<2000 {
            let random = generator.next()
            let next = try #require(schedule.next(afterFailures: 2, at: noon, floor: nil, random: random))
            #expect((240_000...360_000).contains(next.milliseconds(since: noon)))
            let floor = noon.advanced(by: .seconds(3600))
            let held = try #require(schedule.next(afterFailures: 2, at: noon, floor: floor, random: random))
            #expect(held >= floor && held <= floor.advanced(by: .seconds(60)))
        }
        #expect(RetrySchedule(delays: [-1]) == nil && RetrySchedule(delays: Array(repeating: 1, count: 51)) == nil)
        #expect(RetrySchedule(delays: [0])?.next(afterFailures: 1, at: noon, floor: nil, random: 9) == noon)
    }
}

@Suite("Endpoint rules")
struct EndpointRuleTests {
    static let states: [EndpointState] =
        [.pendingVerification, .enabled, .paused, .deleted] + EndpointState.Reason.allCases.map { .disabled($0) }
    static let actions: [EndpointState.Action] = [
        .verify, .pause, .resume, .enable, .delete, .disable(.manual), .disable(.gone),
    ]

    @Test func theMachineIsTotalAndDeletedIsFinal() {
        for state in Self.states {
            #expect(EndpointState(name: state.name, reason: state.reason?.rawValue) == state)
            #expect(state.applying(.delete) == .deleted)
            for action in Self.actions {
                let next = state.applying(action)
                if state == .deleted { #expect(next == nil || next == .deleted) }
                if case .disabled = state, action == .resume || action == .pause { #expect(next == nil) }
                if state == .paused, action == .enable { #expect(next == nil) }
            }
        }
        #expect(EndpointState.disabled(.gone).applying(.enable) == .enabled)
        #expect(EndpointState.disabled(.gone).applying(.disable(.manual)) == .disabled(.gone))
        #expect(
            EndpointState(name: "disabled", reason: nil) == nil && EndpointState(name: "enabled", reason: "gone") == nil
        )
    }

    @Test func theBreakerOpensAfterFourAndDoubles() {
        var breaker = Breaker()
        let policy = Breaker.Policy()
        for _ in 1...3 {
            let opened = breaker.note(success: false, at: noon, policy: policy)
            #expect(!opened)
        }
        #expect(breaker.permits(upTo: 8, at: noon) == 8)
        let opened = breaker.note(success: false, at: noon, policy: policy)
        #expect(opened)
        #expect(breaker.permits(upTo: 8, at: noon) == 0)
        // What was under way when it opened does not lengthen it.
        let again = breaker.note(success: false, at: noon, policy: policy)
        #expect(!again)
        var now = noon
        for minutes in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440] as [Int64] {
            #expect(breaker.openUntil == now.advanced(byMilliseconds: minutes * 60_000))
            now = now.advanced(byMilliseconds: minutes * 60_000)
            #expect(breaker.permits(upTo: 8, at: now) == 1 && breaker.name(at: now) == "half_open")
            let opened = breaker.note(success: false, at: now, policy: policy)
            #expect(opened)
        }
        breaker.note(success: true, at: now, policy: policy)
        #expect(breaker == Breaker())
    }

    @Test(arguments: [
        ("a.b.c", "a.b.c", true), ("a.b.*", "a.b.c", true), ("a.b.*", "a.b.c.d", true), ("a.b.*", "a.b", false),
        ("*", "a.b", true),
        ("*.b.*", "a.b.c", true), ("*.b", "a.b", true), ("*.b", "a.b.c", false), ("a.*.c", "a.b.c", true),
        ("a.*.c", "a.b.d", false),
    ])
    func patterns(_ pattern: String, _ type: String, _ fits: Bool) {
        #expect(EventTypePattern(pattern)?.matches(type) == fits)
    }

    @Test func badPatternsHeadersAndURLs() {
        for text in ["", ".", "a..b", "a b", "a.*x", "ä"] { #expect(EventTypePattern(text) == nil) }
        for name in [
            "Host", "content-length", "Webhook-Id", "ce-id", "Connection", "User-Agent", "a b", "", "traceparent",
        ] {
            #expect(CustomHeaders.fault(name: name, value: "x") != nil)
        }
        #expect(CustomHeaders.fault(name: "authorization", value: "Bearer x") == nil)
        #expect(CustomHeaders.fault(name: "x-a", value: "a\r\nb: c") != nil)
        #expect(CustomHeaders.fault(name: "x-a", value: String(repeating: "x", count: 4097)) != nil)
        for url in [
            "", "ftp://a.b/", "http://", "http://u:p@a.b/", "http://a.b/#x", "http://a.b:0/", "http://a.b:65536/",
            "http://a b/",
            "http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://[::1", "http://[1.2.3.4]/", "http://[fe80::1%25eth0]/",
            "/x",
            "http://a..b/", "http://a.b:+80/", "http://a\\b/",
        ] {
            #expect((try? WebhookURL(url)) == nil, "\(url)")
        }
        let url = try? WebhookURL("HTTPS://Hook.Example:8443/a/b?c=d")
        #expect(url?.host == "hook.example" && url?.port == 8443 && url?.target == "/a/b?c=d" && url?.isSecure == true)
        #expect((try? WebhookURL("http://a.b?x=1"))?.target == "/?x=1")
        #expect((try? WebhookURL("http://[::1]:81/"))?.hostHeader == "[::1]:81")
    }
}
