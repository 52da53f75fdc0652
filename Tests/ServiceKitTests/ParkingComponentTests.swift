import DurableStore
import Foundation
import GRDB
import Kafka
import KitTestSupport
import Logging
import Messaging
import Synchronization
import Testing

@testable import ServiceKit

/// Fails for one subject while it is told to; keeps what it handled in a table.
private final class Handler: MessageHandler {
    let consumer = "reader"
    let ill: Mutex<Bool>

    init(isIll: Bool) { ill = Mutex(isIll) }

    func handle(_ envelope: Envelope, in transaction: Transaction) throws {
        if envelope.subject == "ill", ill.withLock({ $0 }) { throw Failure(.retryable, code: "down", "Down.") }
        try transaction.db.execute(
            sql: "INSERT INTO seen(subject, sequence) VALUES (?, ?)",
            arguments: [envelope.subject, envelope.sequence]
        )
    }
}

/// The event log that the test script started.
private let eventLogAddress = ProcessInfo.processInfo.environment["KAFKA_TEST_BOOTSTRAP"].flatMap {
    $0.isEmpty ? nil : $0
}

/// Parking against a real event log: `KAFKA_TEST_BOOTSTRAP` names it.
@Suite(
    .enabled(if: eventLogAddress != nil, "KAFKA_TEST_BOOTSTRAP is not set"),
    .timeLimit(.minutes(2))
)
struct ParkingComponentTests {
    private let topic = "parking-\(UUID().uuidString.prefix(8))"
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func client() throws -> KafkaClientConfiguration {
        KafkaClientConfiguration(bootstrapServers: try #require(eventLogAddress), clientID: "test")
    }

    /// Writes records of the two subjects in turn into the only partition.
    private func write(_ sequences: ClosedRange<Int64>) async throws {
        let producer = try KafkaProducer(configuration: KafkaProducerConfiguration(client: client()), logger: logger)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await producer.run() }
            let messages = sequences.flatMap { sequence in
                ["ill", "well"].map { subject in
                    OutgoingMessage(
                        to: .topic(topic),
                        Envelope(
                            id: "\(subject)-\(sequence)",
                            source: "/test",
                            type: "test.event.v1",
                            subject: subject,
                            time: Timestamp(millisecondsSinceEpoch: 0),
                            sequence: sequence,
                            correlationID: "c",
                            body: Array("{}".utf8)
                        )
                    )
                }
            }
            let outcomes = await KafkaMessagePublisher(producer).publish(messages)
            let failed = outcomes.count { if case .confirmed = $0 { false } else { true } }
            #expect(failed == 0)
            group.cancelAll()
        }
    }

    /// One life of a reader: begins where its database says, ends with the body.
    private func reading(
        _ path: String,
        _ handler: Handler,
        limits: EventProcessor.Limits,
        _ body: (DurableStore, KafkaSubscription) async throws -> Void
    ) async throws {
        var migrations = DatabaseMigrator()
        migrations.registerMigration("test") { db in
            try db.execute(sql: "CREATE TABLE seen(subject TEXT NOT NULL, sequence INTEGER NOT NULL) STRICT")
        }
        let store = try DurableStore(DurableStoreConfiguration(path: path), migrations: migrations)
        let processor = EventProcessor(store: store, consumer: "reader", handler: handler, limits: limits)
        let start = try await EventProcessor.startOffsets(consumer: "reader", in: store).first?.offset
        let consumer = try KafkaConsumer(
            configuration: KafkaConsumerConfiguration(client: client(), groupID: topic),
            logger: logger
        )
        let subscription = KafkaSubscription(consumer, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await consumer.run() }
            group.addTask { try await ParkedRecordRunner(processor).run() }
            group.addTask {
                try await consumer.assign([
                    KafkaTopicPartitionOffset(topic: topic, partition: 0, offset: start.map { .at($0) } ?? .beginning)
                ])
                try await ConsumerLoop(subscription: subscription, processor: processor, batchLimit: 5).run()
            }
            try await body(store, subscription)
        }
        await store.close()
    }

    private func reached(
        _ condition: @Sendable () async throws -> Bool,
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        let isReached = try await eventually(condition)
        #expect(isReached, sourceLocation: location)
    }

    private func seen(_ subject: String, in store: DurableStore) async throws -> [Int64] {
        try await store.read { db in
            try Int64.fetchAll(
                db,
                sql: "SELECT sequence FROM seen WHERE subject = ? ORDER BY rowid",
                arguments: [subject]
            )
        }
    }

    @Test func aFailingKeyWaitsAcrossRestartsWhileItsPartitionGoesOn() async throws {
        try await withKafkaAdmin(configuration: client(), logger: logger) { admin in
            try await admin.createTopics([KafkaNewTopic(topic, partitions: 1)])
        }
        let database = try TemporaryDatabase()
        // So many attempts that none is used up here, however slow the machine.
        let limits = EventProcessor.Limits(maximumAttempts: 10_000, longestPause: .milliseconds(250))
        try await write(1...20)
        try await reading(database.path, Handler(isIll: true), limits: limits) { store, subscription in
            try await reached { try await seen("well", in: store).count == 20 }
            #expect(try await store.parkedCounts().map(\.records) == [20])
            #expect(subscription.heldPartitions == 0)
            // Several tries later it is still the first that waits, and nothing behind it was tried.
            try await reached { try await store.parkedKeys().first?.attempts ?? 0 >= 3 }
            #expect(try await store.parkedKeys().map(\.offset) == [0])
        }
        try await write(21...30)
        let handler = Handler(isIll: true)
        try await reading(database.path, handler, limits: limits) { store, _ in
            try await reached { try await seen("well", in: store).count == 30 }
            handler.ill.withLock { $0 = false }
            try await reached { try await seen("ill", in: store).count == 30 }
            #expect(try await seen("ill", in: store) == Array(1...30))
            #expect(try await seen("well", in: store) == Array(1...30))
            #expect(try await store.parkedCounts().isEmpty)
            #expect(try await store.deadLetters().isEmpty)
        }
    }

    @Test func withoutRoomThePartitionIsHeldVisiblyAndGoesOnByItself() async throws {
        try await withKafkaAdmin(configuration: client(), logger: logger) { admin in
            try await admin.createTopics([KafkaNewTopic(topic, partitions: 1)])
        }
        let database = try TemporaryDatabase()
        let limits = EventProcessor.Limits(maximumAttempts: 10_000, longestPause: .milliseconds(250), maximumParked: 4)
        let handler = Handler(isIll: true)
        try await write(1...10)
        try await reading(database.path, handler, limits: limits) { store, subscription in
            try await reached { subscription.heldPartitions == 1 }
            // The fifth record of the key is at offset 8: there the partition stands.
            #expect(try await EventProcessor.startOffsets(consumer: "reader", in: store).map(\.offset) == [8])
            #expect(try await seen("well", in: store) == Array(1...4))
            handler.ill.withLock { $0 = false }
            try await reached { try await seen("ill", in: store).count == 10 }
            try await reached { try await seen("well", in: store).count == 10 }
            #expect(try await seen("ill", in: store) == Array(1...10))
            try await reached { subscription.heldPartitions == 0 }
        }
    }
}
