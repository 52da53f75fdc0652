import Commerce
import DurableStore
import GRDB
import KitTestSupport
import Messaging
import PaymentCore
import Synchronization
import Testing

@testable import PaymentService

@Suite struct PaymentFlowTests {
    struct CardRow: Sendable {
        let card: String
        let replies: [String]
        let phase: String
        let events: [String]
    }

    static let cards: [CardRow] = [
        CardRow(
            card: "tok_visa",
            replies: ["authorized", "captured"],
            phase: "captured",
            events: ["authorized", "captured"]
        ),
        CardRow(
            card: "tok_slow",
            replies: ["authorized", "captured"],
            phase: "captured",
            events: ["authorized", "captured"]
        ),
        CardRow(
            card: "tok_timeout",
            replies: ["authorized", "captured"],
            phase: "captured",
            events: ["authorized", "captured"]
        ),
        CardRow(
            card: "tok_flaky",
            replies: ["authorized", "captured"],
            phase: "captured",
            events: ["authorized", "captured"]
        ),
        CardRow(
            card: "tok_garbage",
            replies: ["authorized", "captured"],
            phase: "captured",
            events: ["authorized", "captured"]
        ),
        CardRow(card: "tok_declined", replies: ["declined"], phase: "declined", events: ["declined"]),
        CardRow(card: "tok_insufficient_funds", replies: ["declined"], phase: "declined", events: ["declined"]),
        CardRow(card: "tok_unknown", replies: ["declined"], phase: "declined", events: ["declined"]),
    ]

    @Test(arguments: cards) func everyCard(_ row: CardRow) async throws {
        let harness = try Harness()
        try await harness.authorize(card: row.card)
        try await harness.pass(.seconds(5))
        if row.phase == "captured" { try await harness.capture() }
        try await harness.pass(.seconds(5))
        #expect(try await harness.replies() == row.replies)
        #expect(try await harness.phase() == row.phase)
        #expect(try await harness.events() == row.events)
        #expect(harness.gateway.captures(of: orderID(1).text) == (row.phase == "captured" ? 1 : 0))
        #expect(try await harness.violations() == [])
        let revenue = try await harness.integer(
            "SELECT coalesce(-sum(amount), 0) FROM ledger_entries WHERE account = 'revenue'"
        )
        #expect(revenue == (row.phase == "captured" ? 1000 : 0))
    }

    @Test func moneyThatLandsLateIsRefundedOnce() async throws {
        let harness = try Harness()
        harness.gateway.tick(harness.clock.now())
        try await harness.authorize(card: "tok_late")
        try await harness.pass(.seconds(1))
        try await harness.capture()
        try await harness.pass(.seconds(15))
        #expect(try await harness.replies() == ["authorized", "failed"])
        #expect(try await harness.phase() == "failed")
        try await harness.cancel()
        try await harness.pass(.seconds(2))
        #expect(try await harness.phase() == "cancelled")
        #expect(try await harness.replies() == ["authorized", "failed", "cancelled"])
        #expect(harness.gateway.captures(of: orderID(1).text) == 0)
        // Now it lands. The watch finds it within a minute.
        try await harness.pass(.seconds(90))
        #expect(harness.gateway.captures(of: orderID(1).text) == 1)
        #expect(harness.gateway.refunds(of: orderID(1).text) == 1)
        #expect(try await harness.phase() == "cancelled")
        #expect(try await harness.replies() == ["authorized", "failed", "cancelled"])
        #expect(
            try await harness.events()
                == ["authorized", "failed", "voided", "cancelled", "captured", "refunded", "cancelled"]
        )
        #expect(try await harness.integer("SELECT sum(amount) FROM ledger_entries WHERE account = 'suspense'") == 0)
        #expect(
            try await harness.integer("SELECT sum(amount) FROM ledger_entries WHERE account = 'card_clearing'") == 0
        )
        #expect(try await harness.violations() == [])
    }

    @Test func anUnknownThatWasChargedIsFoundByKey() async throws {
        let harness = try Harness()
        harness.gateway.setLosesAnswers(true)
        try await harness.authorize()
        try await harness.runner.performDue()
        #expect(try await harness.intents() == ["authorize unknown"])
        #expect(try await harness.replies() == [])
        let calls = harness.gateway.calls
        try await harness.pass(.seconds(2))
        #expect(try await harness.replies() == ["authorized"])
        #expect(harness.gateway.calls == calls, "found by key, not called again")
    }

    @Test func anUnknownThatNeverArrivedIsCalledAgainWithTheSameKey() async throws {
        let harness = try Harness()
        harness.gateway.setLosesRequests(true)
        try await harness.authorize()
        try await harness.pass(.seconds(2))
        harness.gateway.setLosesRequests(false)
        try await harness.pass(.seconds(3))
        #expect(try await harness.replies() == ["authorized"])
        #expect(try await harness.integer("SELECT count(*) FROM intents") == 1)
    }

    @Test func anUnknownThatNeverArrivesIsGivenUpAfterTheWindow() async throws {
        let harness = try Harness()
        harness.gateway.setLosesRequests(true)
        try await harness.authorize()
        try await harness.pass(.seconds(11))
        #expect(try await harness.replies() == [])
        try await harness.pass(.seconds(4))
        #expect(try await harness.replies() == ["failed"])
        #expect(try await harness.intents() == ["authorize abandoned"])
        try await harness.cancel()
        #expect(try await harness.replies() == ["failed", "cancelled"])
        #expect(try await harness.phase() == "cancelled")
    }

    @Test func everyCommandIsAnsweredAgain() async throws {
        let harness = try Harness()
        try await harness.authorize()
        try await harness.pass(.seconds(1))
        try await harness.authorize()
        try await harness.capture()
        try await harness.pass(.seconds(1))
        try await harness.capture()
        try await harness.cancel()
        try await harness.pass(.seconds(1))
        try await harness.cancel()
        #expect(
            try await harness.replies() == [
                "authorized", "authorized", "captured", "captured", "cancelled", "cancelled",
            ]
        )
        #expect(harness.gateway.captures(of: orderID(1).text) == 1)
        #expect(harness.gateway.refunds(of: orderID(1).text) == 1)
        #expect(try await harness.violations() == [])
        #expect(try await harness.integer("SELECT sum(amount) FROM ledger_entries WHERE account = 'refunds'") == 1000)
    }

    @Test func aRedeliveredMessageHasOneEffect() async throws {
        let harness = try Harness()
        let command = AuthorizePayment(orderID: orderID(1), amount: tenEuros, card: id(CardToken.init, "tok_visa"))
        for _ in 0..<3 {
            let verdicts = try await harness.send(command, about: orderID(1), messageID: "the-same")
            #expect(verdicts == [.acknowledge])
        }
        try await harness.pass(.seconds(1))
        #expect(try await harness.replies() == ["authorized"])
    }

    @Test func cancelFirstLeavesATombstone() async throws {
        let harness = try Harness()
        try await harness.cancel()
        try await harness.authorize()
        try await harness.capture()
        try await harness.pass(.seconds(1))
        #expect(try await harness.replies() == ["cancelled", "failed", "failed"])
        #expect(harness.gateway.calls == 0)
        #expect(try await harness.events() == [])
        #expect(try await harness.violations() == [])
    }

    /// Found by reading, after chaos had shown what a later answer cannot say of an earlier call: the disk is full when the gateway has
    /// just charged, and the row goes on saying that nothing was sent.
    @Test(
        "a call whose outcome could not be stored is looked up before its repetition is believed",
        arguments: [false, true]
    )
    func anOutcomeThatCouldNotBeStored(_ isDown: Bool) async throws {
        let isFull = Mutex(false)
        let harness = try Harness { step in
            guard step == .beforeCommit, isFull.withLock({ $0 }) else { return }
            throw DatabaseError(resultCode: .SQLITE_FULL, message: "simulated")
        }
        try await harness.authorize()
        harness.gateway.setDuringCall { isFull.withLock { $0 = true } }
        try await harness.runner.performDue()
        #expect(harness.gateway.entry(.authorize, orderID(1).text)?.entry.isDone == true)
        #expect(try await harness.intents() == ["authorize calling"])
        isFull.withLock { $0 = false }
        harness.gateway.setDuringCall(nil)
        // The next call is turned away, or cannot even be made while the customer cancels.
        harness.gateway.setTurnsAway(true)
        harness.gateway.setDown(isDown)
        try await harness.runner.performDue()
        if isDown { try await harness.cancel() }
        harness.gateway.setDown(false)
        try await harness.pass(.seconds(10))
        #expect(try await harness.intents().first == "authorize succeeded")
        #expect(try await harness.replies() == (isDown ? ["cancelled"] : ["authorized"]))
        #expect(try await harness.violations() == [])
    }

    @Test func whileTheGatewayIsDownOrdersWaitAndCancelsAreAnswered() async throws {
        let harness = try Harness()
        harness.gateway.setDown(true)
        try await harness.authorize(orderID(1))
        try await harness.authorize(orderID(2))
        try await harness.pass(.seconds(60), step: .seconds(2))
        #expect(try await harness.replies(orderID(1)) == [], "no compensation on unknown")
        #expect(try await harness.intents(orderID(1)) == ["authorize prepared"])
        try await harness.cancel(orderID(1))
        #expect(try await harness.replies(orderID(1)) == ["cancelled"])
        #expect(try await harness.intents(orderID(1)) == ["authorize withdrawn"])
        harness.gateway.setDown(false)
        try await harness.pass(.seconds(90), step: .seconds(2))
        #expect(try await harness.replies(orderID(2)) == ["authorized"])
        #expect(harness.gateway.entry(.authorize, orderID(1).text) == nil, "what was taken back is never sent")
        #expect(try await harness.violations() == [])
    }

    /// The call hangs in connecting, the customer cancels meanwhile, and then the connection fails: what certainly never left is taken
    /// back, and the gateway, when it is back, is not asked for money that would only have to be returned.
    @Test(arguments: [IntentKind.authorize, .capture])
    func aCancelDuringACallThatNeverLeftTakesItBack(_ kind: IntentKind) async throws {
        let harness = try Harness()
        try await harness.authorize()
        if kind == .capture {
            try await harness.pass(.seconds(1))
            try await harness.capture()
        }
        harness.gateway.setDown(true)
        harness.gateway.setDuringCall { try? await harness.cancel() }
        try await harness.runner.performDue()
        harness.gateway.setDuringCall(nil)
        #expect(try await harness.intents().contains("\(kind.rawValue) withdrawn"))

        harness.gateway.setDown(false)
        try await harness.pass(.seconds(90), step: .seconds(2))
        #expect(harness.gateway.entry(kind, orderID(1).text) == nil, "no call with its key was made")
        #expect(harness.gateway.entry(.refund, orderID(1).text) == nil, "there was nothing to give back")
        #expect(try await harness.phase() == "cancelled")
        let (replies, events, intents) =
            kind == .authorize
            ? (["cancelled"], ["cancelled"], ["authorize withdrawn"])
            : (
                ["authorized", "cancelled"], ["authorized", "voided", "cancelled"],
                ["authorize succeeded", "capture withdrawn", "void succeeded"]
            )
        #expect(try await harness.replies() == replies)
        #expect(try await harness.events() == events)
        #expect(try await harness.intents().sorted() == intents)
        #expect(try await harness.integer("SELECT count(*) FROM ledger_transactions") == 0)
        #expect(try await harness.violations() == [])
    }

    @Test func whatNeverLeftWritesNoPaymentAsLongAsNobodyCancels() async throws {
        let harness = try Harness()
        harness.gateway.setDown(true)
        try await harness.authorize()
        try await harness.runner.performDue()
        #expect(try await harness.intents() == ["authorize prepared"])
        #expect(try await harness.integer("SELECT revision FROM payments") == 1)
    }

    @Test func theBreakerSparesADeadGateway() async throws {
        let harness = try Harness()
        for number in 1...40 { try await harness.authorize(orderID(number)) }
        harness.gateway.setDown(true)
        try await harness.pass(.seconds(3))
        #expect(harness.gate.level == 2)
        #expect(try await harness.integer("SELECT count(*) FROM intents WHERE state = 'prepared'") == 40)
        harness.gateway.setDown(false)
        try await harness.pass(.seconds(12))
        #expect(harness.gate.level == 0)
        #expect(try await harness.integer("SELECT count(*) FROM payments WHERE phase = 'authorized'") == 40)
    }

    /// One breaker per operation: look-ups that hang keep no authorization back, and are asked for by one probe at a time.
    @Test func lookUpsThatHangKeepNoCallBack() async throws {
        let harness = try Harness()
        harness.gateway.setLosesLookUps(true)
        harness.gateway.setLosesRequests(true)
        for number in 1...10 { try await harness.authorize(orderID(number)) }
        try await harness.pass(.seconds(5))
        #expect(harness.gate.level(.lookUp) == 2)
        #expect(harness.gate.level(.call(.authorize)) == 0)

        harness.gateway.setLosesRequests(false)
        let asked = harness.gateway.lookUps
        for number in 11...20 { try await harness.authorize(orderID(number)) }
        try await harness.pass(.seconds(1))
        #expect(try await harness.integer("SELECT count(*) FROM payments WHERE phase = 'authorized'") == 10)
        try await harness.pass(.seconds(60))
        // A probe every five seconds or less often, for ten intents that want to know.
        #expect((1...14).contains(harness.gateway.lookUps - asked))

        harness.gateway.setLosesLookUps(false)
        try await harness.pass(.seconds(120))
        #expect(harness.gate.level == 0)
        #expect(try await harness.integer("SELECT count(*) FROM intents WHERE state = 'unknown'") == 0)
        #expect(try await harness.violations() == [])
    }

    @Test func anotherAmountForTheSameOrderIsRefusedAndRecorded() async throws {
        let harness = try Harness()
        try await harness.authorize()
        let other = AuthorizePayment(
            orderID: orderID(1),
            amount: Money(minorUnits: 1, currency: .eur),
            card: id(CardToken.init, "tok_visa")
        )
        #expect(try await harness.send(other, about: orderID(1)) == [.acknowledge])
        #expect(try await harness.integer("SELECT count(*) FROM inbox WHERE code = 'payment-charge-differs'") == 1)
        #expect(try await harness.integer("SELECT amount FROM payments") == 1000)
    }

    @Test func hostileMessagesBecomeDeadLettersAndNothingElse() async throws {
        let harness = try Harness()
        let bodies = [
            "", "{", "[]", "null", #"{"orderID":"x"}"#, #"{"orderID":"00000000-0000-7000-8000-000000000001"}"#,
            #"{"orderID":"00000000-0000-7000-8000-000000000001","amount":{"minorUnits":-1,"currency":"EUR"},"card":"c"}"#,
            #"{"orderID":"00000000-0000-7000-8000-000000000001","amount":{"minorUnits":9223372036854775807,"currency":"EUR"},"card":"c"}"#,
            #"{"orderID":"00000000-0000-7000-8000-000000000001","amount":{"minorUnits":1,"currency":"XYZ"},"card":"c"}"#,
            #"{"orderID":"00000000-0000-7000-8000-000000000002","amount":{"minorUnits":1,"currency":"EUR"},"card":"c"}"#,
        ]
        let processor = CommandProcessor(
            store: harness.store,
            inbox: Channels.paymentInbox,
            handler: PaymentCommandHandler {}
        )
        for (index, body) in bodies.enumerated() {
            for type in [AuthorizePayment.messageType, "waybill.payment.nonsense.v1"] {
                let envelope = Envelope(
                    id: "hostile-\(index)-\(type)",
                    source: "/x",
                    type: type,
                    subject: orderID(1).text,
                    time: harness.clock.now(),
                    correlationID: "c",
                    body: Array(body.utf8)
                )
                let verdicts = await processor.process([
                    ReceivedMessage(
                        source: .queue("payment.inbox"),
                        headers: EnvelopeHeaders.encode(envelope),
                        body: envelope.body
                    )
                ])
                #expect(verdicts == [.acknowledge])
            }
        }
        #expect(try await harness.integer("SELECT count(*) FROM payments") == 0)
        #expect(
            try await harness.integer("SELECT count(*) FROM outbox WHERE routing_key = 'payment.inbox.dead'")
                == Int64(bodies.count * 2)
        )
    }

    @Test func theRunnerWorksOnItsOwn() async throws {
        let harness = try Harness()
        let running = Task { try await harness.runner.run() }
        for number in 1...20 { try await harness.authorize(orderID(number)) }
        #expect(
            try await eventually {
                try await harness.integer("SELECT count(*) FROM payments WHERE phase = 'authorized'") == 20
            }
        )
        running.cancel()
        try await running.value
    }
}
