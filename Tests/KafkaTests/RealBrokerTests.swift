import Foundation
import Synchronization
import Testing

@testable import Kafka

/// What the mock cannot serve: creating topics, lookups by time, and a server process that is killed.
@Suite("Kafka on real brokers", .timeLimit(.minutes(3)))
struct RealBrokerTests {
    @Test("Topics are created once; creating again is fine, nonsense is refused", arguments: Broker.external)
    func createTopics(_ broker: Broker) async throws {
        let broker = try broker.open()
        let name = unique()
        try await withKafkaAdmin(configuration: broker.client, logger: .quiet) { admin in
            try await admin.createTopics([KafkaNewTopic(name, partitions: 5)])
            try await admin.createTopics([
                KafkaNewTopic(name, partitions: 5), KafkaNewTopic(name + "-b", partitions: 1),
            ])
            #expect(try await admin.topic(name)?.partitions == [0, 1, 2, 3, 4])
            #expect(try await admin.topic(name + "-b")?.partitions == [0])
            for wish in [KafkaNewTopic("no spaces", partitions: 1), KafkaNewTopic(unique(), partitions: 0)] {
                let error = await #expect(throws: KafkaError.self, "\(wish.name)") {
                    try await admin.createTopics([wish])
                }
                #expect(error?.isFatal == false)
            }
            try await admin.createTopics([])
        }
    }

    @Test("Offsets by time: the first at or after it, the end when there is none", arguments: Broker.external)
    func offsetsAtTimes(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        let partition = KafkaTopicPartition(topic: topic, partition: 0)
        let records = (0..<10).map {
            KafkaRecord(topic: topic, value: [], timestampMilliseconds: 1_000_000 + $0 * 1_000)
        }
        let results = try await withKafkaProducer(configuration: broker.producer(), logger: .quiet) {
            await $0.publish(records)
        }
        #expect(results.allSatisfy { $0.isPersisted })
        try await withKafkaAdmin(configuration: broker.client, logger: .quiet) { admin in
            for (time, offset) in [
                (0, 0), (1_000_000, 0), (1_000_001, 1), (1_005_000, 5), (1_009_000, 9), (2_000_000, 10),
            ] {
                let found = try await admin.offsets(atTimestampMilliseconds: Int64(time), [partition])
                #expect(found == [partition: Int64(offset)], "\(time)")
            }
        }
        let reader = KafkaTopicReader(
            configuration: broker.client,
            topics: [topic],
            start: .timestamp(1_006_500),
            logger: .quiet
        )
        #expect(try await collect(reader).map(\.offset) == [7, 8, 9])
    }

    @Test(
        "A server killed again and again: every acknowledged record is there once, in order per key",
        .enabled(if: EventLogProcess.binary != nil, "KAFKA_TEST_EVENT_LOG names the server's binary")
    )
    func killedServer() async throws {
        let server = try EventLogProcess()
        defer { server.kill() }
        try server.start()
        let broker = OpenBroker(address: server.address)
        let topic = try await broker.topic(partitions: 3)
        let keys = 8
        let tally = Tally()
        let isOver = Flag()
        let observer = RecordingObserver()
        try await withKafkaProducer(configuration: broker.producer(), logger: .quiet, observer: observer) { producer in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for key in 0..<keys {
                    group.addTask { await publish(key, to: topic, with: producer, until: isOver, tally) }
                }
                for kill in 0...4 {
                    if kill > 0 {
                        server.kill()
                        try server.start()
                    }
                    let before = tally.count
                    try await eventually("records flow after kill \(kill)") { tally.count > before + 300 }
                }
                isOver.set()
                try await group.waitForAll()
            }
        }
        var stored: [String: [Int]] = [:]
        for record in try await collect(KafkaTopicReader(configuration: broker.client, topics: [topic], logger: .quiet))
        {
            let number = try #require(record.value.flatMap { Int(String(decoding: $0, as: UTF8.self)) })
            stored[String(decoding: record.key ?? [], as: UTF8.self), default: []].append(number)
        }
        var repeats = 0
        for (key, numbers) in tally.all {
            var seen: Set<Int> = []
            let once = (stored[key] ?? []).filter { seen.insert($0).inserted }
            repeats += (stored[key]?.count ?? 0) - once.count
            #expect(once == numbers, "\(key)")
        }
        // Repeats are only possible where the library broke and the records were published anew.
        if observer.recreations.isEmpty { #expect(repeats == 0) }
        print(
            "killed server: \(stored.values.map(\.count).reduce(0, +)) records, \(repeats) repeats, \(observer.recreations.count) new handles"
        )
    }
}

/// Publishes numbers in calls of five, again and again what was not acknowledged.
private func publish(
    _ key: Int,
    to topic: String,
    with producer: KafkaProducer,
    until isOver: Flag,
    _ tally: Tally
) async {
    var next = 0
    while !isOver.isSet {
        let numbers = Array(next..<next + 5)
        var open = numbers.map { KafkaRecord(topic: topic, key: "k\(key)".bytes, value: "\($0)".bytes) }
        while !open.isEmpty {
            let results = await producer.publish(open)
            open = zip(open, results).filter { !$1.isPersisted }.map(\.0)
        }
        tally.add(numbers, "k\(key)")
        next += 5
    }
}

/// What the broker has acknowledged, by key.
private final class Tally: Sendable {
    private let state = Mutex<[String: [Int]]>([:])

    var all: [String: [Int]] { state.withLock { $0 } }
    var count: Int { state.withLock { $0.values.map(\.count).reduce(0, +) } }
    func add(_ numbers: [Int], _ key: String) { state.withLock { $0[key, default: []] += numbers } }
}

/// A server process of our own, on a free port and a directory that goes with it.
final class EventLogProcess: @unchecked Sendable {
    static let binary: String? = ProcessInfo.processInfo.environment["KAFKA_TEST_EVENT_LOG"].flatMap {
        $0.isEmpty ? nil : $0
    }

    // Owner: the one test that made it.
    private var process: Process?
    private let directory: URL
    private let port: UInt16
    var address: String { "127.0.0.1:\(port)" }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("kafka-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        port = try freePort()
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func start() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.binary ?? "")
        process.arguments = [
            "serve", "--data-dir", directory.path, "--listen", address, "--metrics-listen", "127.0.0.1:0",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
    }

    /// SIGKILL; returns when the process is gone.
    func kill() {
        guard let process else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }
}

/// A port of the loopback that nobody listens on at this moment.
private func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, size) == 0 && getsockname(descriptor, pointer, &size) == 0
        }
    }
    guard bound else { throw DeadlinePassed(description: "No free port") }
    return UInt16(bigEndian: address.sin_port)
}
