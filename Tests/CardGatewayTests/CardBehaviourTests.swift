import Testing

@testable import CardGateway

@Suite struct CardBehaviourTests {
    @Test(arguments: [
        ("tok_visa", CardBehaviour.prompt, CardBehaviour.prompt),
        ("tok_declined", .declines(reason: "card-declined"), .prompt),
        ("tok_insufficient_funds", .declines(reason: "insufficient-funds"), .prompt),
        ("tok_slow", .slow, .prompt),
        ("tok_timeout", .silent, .silent),
        ("tok_flaky", .flaky, .flaky),
        ("tok_late", .prompt, .late),
        ("tok_garbage", .garbled, .garbled),
        ("tok_nobody", .declines(reason: "unknown-card"), .prompt),
        ("", .declines(reason: "unknown-card"), .prompt),
    ])
    func theTable(_ row: (card: String, authorize: CardBehaviour, capture: CardBehaviour)) {
        #expect(CardBehaviour.of(card: row.card, operation: .authorize) == row.authorize)
        #expect(CardBehaviour.of(card: row.card, operation: .capture) == row.capture)
        #expect(CardBehaviour.of(card: row.card, operation: .void) == .prompt)
        #expect(CardBehaviour.of(card: row.card, operation: .refund) == .prompt)
    }
}

@Suite struct GatewayConfigurationTests {
    @Test func defaultsAndOverrides() throws {
        var environment = ["WAYBILL_HTTP_PORT": "8085", "WAYBILL_GATEWAY_LEDGER": "/x"]
        let plain = try GatewayConfiguration(environment: environment)
        #expect(plain.lateMilliseconds == 20_000 && plain.slowMilliseconds == 3000 && plain.probePort == nil)
        environment["WAYBILL_GATEWAY_LATE_SECONDS"] = "2"
        environment["WAYBILL_PROBE_PORT"] = "8285"
        let changed = try GatewayConfiguration(environment: environment)
        #expect(changed.lateMilliseconds == 2000 && changed.probePort == 8285)
    }

    @Test(arguments: [
        [:], ["WAYBILL_HTTP_PORT": "8085"], ["WAYBILL_HTTP_PORT": "x", "WAYBILL_GATEWAY_LEDGER": "/x"],
        ["WAYBILL_HTTP_PORT": "70000", "WAYBILL_GATEWAY_LEDGER": "/x"],
        ["WAYBILL_HTTP_PORT": "1", "WAYBILL_GATEWAY_LEDGER": "/x", "WAYBILL_GATEWAY_LATE_SECONDS": "-1"],
        ["WAYBILL_HTTP_PORT": "1", "WAYBILL_GATEWAY_LEDGER": "/x", "WAYBILL_PAYMENT_CALLBACK_URL": "ftp://x"],
    ])
    func badEnvironments(_ environment: [String: String]) {
        #expect(throws: GatewayConfigurationFault.self) { try GatewayConfiguration(environment: environment) }
    }
}
