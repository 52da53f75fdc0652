import Foundation
import Kafka
import KitTestSupport
import Logging
import Testing
import Verification

/// Evidence that went through the services' own schemas and came back.
@Suite struct RunDirectoryTests {
    private static let folder = ProcessInfo.processInfo.environment["WAYBILL_VERIFY_DIR"]

    @Test func whatIsWrittenIsReadBackAndHolds() async throws {
        let folder = try TemporaryDatabase()
        try await RunDirectory(path: folder.folder).write(try World.good(), kafka: nil)
        let loader = EvidenceLoader(dataDirectory: folder.folder, kafka: nil, logger: Logger(label: "test"))
        #expect(try await loader.rest().isComplete)
        var evidence = try await loader.load(isQuiescent: true) { _ in }
        let good = try World.good()
        // What is no database comes from the world: then every check has all that it needs.
        evidence.log = good.log
        evidence.load = good.load
        evidence.receipts = good.receipts
        evidence.poison = good.poison
        evidence.interruptions = good.interruptions
        evidence.earlier = Milestones(evidence)
        for (check, finding) in await Report.of(evidence).results {
            #expect(finding.verdict == .holds, "\(check.id) \(check.title)")
        }
        #expect(evidence.orders?.history == good.orders?.history)
        #expect(evidence.payments?.entries == good.payments?.entries)
        #expect(evidence.inventory?.movements == good.inventory?.movements)
        #expect(evidence.webhooks?.attempts == good.webhooks?.attempts)
        #expect(evidence.webhooks?.events == good.webhooks?.events)
        #expect(evidence.webhooks?.endpoints == good.webhooks?.endpoints)
    }

    /// Builds the run directory of `scripts/bench-verify.sh`: no test of its own.
    @Test(.enabled(if: folder != nil)) func buildsALargeRun() async throws {
        let environment = ProcessInfo.processInfo.environment
        let count = try #require(environment["WAYBILL_VERIFY_ORDERS"].flatMap { Int($0) })
        let servers = try #require(environment["KAFKA_BOOTSTRAP_SERVERS"])
        let kafka = KafkaClientConfiguration(bootstrapServers: servers, clientID: "run-directory")
        try await RunDirectory(path: try #require(Self.folder)).write(try World.large(count), kafka: kafka)
    }
}
