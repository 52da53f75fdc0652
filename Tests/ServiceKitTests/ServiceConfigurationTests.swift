import Configuration
import DurableStore
import ServiceKit
import Testing

@Suite struct ServiceConfigurationTests {
    private func configuration(_ extra: [String: String]) throws -> ServiceConfiguration {
        var variables = [
            "WAYBILL_DATABASE": "/tmp/x.db", "WAYBILL_HTTP_PORT": "1", "WAYBILL_OPERATOR_PORT": "2",
            "WAYBILL_PROBE_PORT": "3", "WAYBILL_OPERATOR_TOKEN_FILE": "/tmp/token",
        ]
        variables.merge(extra) { $1 }
        let reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: variables))
        return try ServiceConfiguration(service: "test", reader: reader)
    }

    @Test func lifetimesHaveDefaultsAndCanBeSet() throws {
        #expect(try configuration([:]).lifetimes == .standard)
        let set = try configuration(["WAYBILL_INBOX_RETENTION_DAYS": "60", "WAYBILL_DEAD_LETTER_WINDOW_DAYS": "50"])
        #expect(set.lifetimes.inboxRetention == .seconds(60 * 86_400))
        #expect(set.lifetimes.requeueWindow == .seconds(50 * 86_400))
    }

    @Test func idsThatAreForgottenTooSoonAreRefusedWithASentence() throws {
        let fault = #expect(throws: ConfigurationFault.self) {
            try configuration(["WAYBILL_INBOX_RETENTION_DAYS": "7"])
        }
        let sentence = try #require(fault).description
        #expect(sentence.contains("forget ids after 7 d"))
        #expect(sentence.contains("WAYBILL_INBOX_RETENTION_DAYS"))
    }
}
