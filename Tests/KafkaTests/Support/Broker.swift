import Foundation
import Kafka
import Logging
import Synchronization
import Testing

/// A broker to run the conformance suite against.
enum Broker: Sendable, CustomTestStringConvertible {
    case mock
    case external(String)

    /// The mock always; a real one where `KAFKA_TEST_BOOTSTRAP` names it.
    static let all: [Broker] = {
        let address = ProcessInfo.processInfo.environment["KAFKA_TEST_BOOTSTRAP"] ?? ""
        return address.isEmpty ? [.mock] : [.mock, .external(address)]
    }()

    static let external: [Broker] = all.filter { if case .external = $0 { true } else { false } }

    var testDescription: String {
        switch self {
        case .mock: "mock"
        case .external(let address): address
        }
    }

    func open() throws -> OpenBroker {
        switch self {
        case .mock: OpenBroker(mock: try MockCluster())
        case .external(let address): OpenBroker(address: address)
        }
    }
}

/// A broker in use by one test; with its own topic names, so that all tests run at once.
final class OpenBroker: Sendable {
    let mock: MockCluster?
    let client: KafkaClientConfiguration

    init(mock: MockCluster) {
        self.mock = mock
        client = Self.configuration(mock.bootstrapServers)
    }

    init(address: String) {
        mock = nil
        client = Self.configuration(address)
    }

    private static func configuration(_ address: String) -> KafkaClientConfiguration {
        var client = KafkaClientConfiguration(bootstrapServers: address, clientID: "test")
        client.metadataRefresh = .seconds(1)
        return client
    }

    func topic(partitions: Int32 = 1, _ name: String = #function) async throws -> String {
        let name = unique(name)
        if let mock {
            mock.createTopic(name, partitions: partitions)
        } else {
            try await withKafkaAdmin(configuration: client, logger: .quiet) { admin in
                try await admin.createTopics([KafkaNewTopic(name, partitions: partitions)])
            }
        }
        return name
    }

    func producer() -> KafkaProducerConfiguration { KafkaProducerConfiguration(client: client) }
    func consumer(group: String? = nil) -> KafkaConsumerConfiguration {
        KafkaConsumerConfiguration(client: client, groupID: group)
    }
}

/// A name nobody else uses, from letters of `base`.
func unique(_ base: String = #function) -> String {
    let letters = base.prefix { $0 != "(" }.filter { $0.isASCII && $0.isLetter }
    return "\(letters.prefix(40))-\(UUID().uuidString.prefix(8))"
}

extension Logger {
    static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

extension String {
    var bytes: [UInt8] { Array(utf8) }
}

struct DeadlinePassed: Error, CustomStringConvertible {
    var description: String
}

/// Asks again and again, for as long as `limit`, with a short pause that bounds the load only.
func eventually(
    _ what: String,
    within limit: Duration = .seconds(20),
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while !(try await condition()) {
        if ContinuousClock.now > end { throw DeadlinePassed(description: "Not within \(limit): \(what)") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Waits for the first element that matches.
func first<S: AsyncSequence & Sendable>(
    in sequence: S,
    within limit: Duration = .seconds(20),
    where matches: @escaping @Sendable (S.Element) -> Bool
) async throws -> S.Element where S.Element: Sendable {
    try await withThrowingTaskGroup(of: S.Element.self) { group in
        group.addTask {
            for try await element in sequence where matches(element) { return element }
            throw DeadlinePassed(description: "The sequence ended without a match")
        }
        group.addTask {
            try await Task.sleep(for: limit)
            throw DeadlinePassed(description: "No match within \(limit)")
        }
        defer { group.cancelAll() }
        guard let element = try await group.next() else { throw DeadlinePassed(description: "No task") }
        return element
    }
}

/// Reads until `count` records are there.
func read(
    _ count: Int,
    from consumer: KafkaConsumer,
    max: Int = 1_000,
    within limit: Duration = .seconds(30)
) async throws
    -> [KafkaReceivedRecord]
{
    var records: [KafkaReceivedRecord] = []
    let end = ContinuousClock.now + limit
    while records.count < count {
        if ContinuousClock.now > end {
            throw DeadlinePassed(description: "\(records.count) of \(count) records within \(limit)")
        }
        records += try await consumer.nextBatch(max: min(max, count - records.count), wait: .milliseconds(200))
    }
    return records
}

/// Remembers what it is told.
final class RecordingObserver: KafkaObserver {
    private let state = Mutex(
        (states: [KafkaBrokerState](), statistics: [KafkaStatistics](), recreations: [KafkaError]())
    )

    func brokerStateChanged(_ state: KafkaBrokerState, client: String) {
        self.state.withLock { $0.states.append(state) }
    }
    func statistics(_ statistics: KafkaStatistics) { state.withLock { $0.statistics.append(statistics) } }
    func producerRecreated(reason: KafkaError, client: String) { state.withLock { $0.recreations.append(reason) } }

    var states: [KafkaBrokerState] { state.withLock { $0.states } }
    var statistics: [KafkaStatistics] { state.withLock { $0.statistics } }
    var recreations: [KafkaError] { state.withLock { $0.recreations } }
}
