import Configuration
import DurableStore
import Messaging
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

    @Test func retriesAndPrefetchHaveDefaultsAndCanBeSet() throws {
        let standard = try configuration([:])
        #expect(standard.retry == .standard)
        #expect(standard.prefetch == 256)
        let set = try configuration([
            "WAYBILL_RETRY_DELAYS": "200ms,1s,1h", "WAYBILL_RETRY_JITTER_PERCENT": "0", "WAYBILL_AMQP_PREFETCH": "10",
        ])
        #expect(set.retry.levels.map(\.delay) == [.milliseconds(200), .seconds(1), .seconds(3600)])
        #expect(set.retry.jitterPercent == 0)
        #expect(set.prefetch == 10)
    }

    @Test(arguments: [
        (
            "WAYBILL_RETRY_DELAYS", "5s,1s",
            "WAYBILL_RETRY_DELAYS must be delays such as 1s,5s,30s,2m,10m: each delay must be longer"
        ),
        ("WAYBILL_RETRY_DELAYS", "", "“” is not a delay"),
        ("WAYBILL_RETRY_JITTER_PERCENT", "91", "WAYBILL_RETRY_JITTER_PERCENT must be a whole number from 0 to 90"),
        ("WAYBILL_AMQP_PREFETCH", "0", "WAYBILL_AMQP_PREFETCH must be a whole number from 1 to 4096"),
        // Two rounds of these are 8 days and 8 hours: with 24 days of window and outage more than the 30 that ids are remembered.
        (
            "WAYBILL_RETRY_DELAYS", "10h,11h,12h,13h,14h,16h,24h",
            "forget ids after 30 d, but a message can come back after 32 d 8 h"
        ),
    ])
    func retriesThatCannotBeUsedAreRefusedWithASentence(variable: String, value: String, sentence: String) throws {
        let fault = #expect(throws: ConfigurationFault.self) { try configuration([variable: value]) }
        #expect(fault?.description.contains(sentence) == true, "\(String(describing: fault))")
    }
}
