import Foundation
import Logging
import Synchronization
import Testing

@testable import Kafka

/// What any broker of the Kafka protocol must do for this client: the mock cluster always, a real one where `KAFKA_TEST_BOOTSTRAP` is set.
@Suite("Kafka conformance", .timeLimit(.minutes(2)))
struct ConformanceTests {
    @Test("Bytes, nulls, empties, headers and times arrive as they were sent", arguments: Broker.all)
    func roundTrip(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        let sent = [
            KafkaRecord(topic: topic, key: "k".bytes, value: "v".bytes, timestampMilliseconds: 1_700_000_000_123),
            KafkaRecord(topic: topic, key: nil, value: nil),
            KafkaRecord(topic: topic, key: [], value: []),
            KafkaRecord(topic: topic, key: [0, 255, 0], value: Array(0...255)),
            KafkaRecord(
                topic: topic,
                key: "h".bytes,
                value: nil,
                headers: [
                    KafkaHeader("ce_id", "1".bytes), KafkaHeader("twice", [1]), KafkaHeader("twice", [2, 0, 3]),
                    KafkaHeader("empty", []), KafkaHeader("schlüssel", "wört".bytes),
                ]
            ),
        ]
        let results = try await withKafkaProducer(configuration: broker.producer(), logger: .quiet) {
            await $0.publish(sent)
        }
        #expect(results == (0..<5).map { .persisted(partition: 0, offset: $0) })

        let read = try await collect(KafkaTopicReader(configuration: broker.client, topics: [topic], logger: .quiet))
        #expect(read.map(\.offset) == [0, 1, 2, 3, 4])
        #expect(read.map(\.key) == sent.map(\.key))
        #expect(read.map(\.value) == sent.map(\.value))
        #expect(read.map(\.headers) == sent.map(\.headers))
        #expect(read.first?.timestampMilliseconds == 1_700_000_000_123)
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        #expect(read[1].timestampMilliseconds.map { abs($0 - now) < 60_000 } == true)
    }

    @Test("Order per key, within and across concurrent calls, over several partitions", arguments: Broker.all)
    func orderPerKey(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic(partitions: 4)
        let keys = 16
        let calls = 20
        let perCall = 10
        var configuration = broker.producer()
        // A small window, so that calls wait in it.
        configuration.maxMessagesInFlight = 50
        try await withKafkaProducer(configuration: configuration, logger: .quiet) { producer in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for key in 0..<keys {
                    group.addTask {
                        for call in 0..<calls {
                            let records = (0..<perCall).map {
                                KafkaRecord(
                                    topic: topic,
                                    key: "key-\(key)".bytes,
                                    value: "\(call * perCall + $0)".bytes
                                )
                            }
                            let results = await producer.publish(records)
                            #expect(results.allSatisfy { $0.isPersisted })
                            var offsets: [Int64] = []
                            for case .persisted(_, let offset) in results { offsets.append(offset) }
                            #expect(offsets == offsets.sorted())
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await eventually("the window is empty") { producer.metrics.inFlightMessages == 0 }
            #expect(producer.metrics.inFlightBytes == 0 && producer.metrics.recreations == 0)
        }
        var sequences: [[UInt8]: [Int]] = [:]
        var partitions: [[UInt8]: Set<Int32>] = [:]
        for record in try await collect(KafkaTopicReader(configuration: broker.client, topics: [topic], logger: .quiet))
        {
            let key = try #require(record.key)
            let number = try #require(record.value.flatMap { Int(String(decoding: $0, as: UTF8.self)) })
            sequences[key, default: []].append(number)
            partitions[key, default: []].insert(record.partition)
        }
        #expect(sequences.count == keys)
        for (key, sequence) in sequences { #expect(sequence == Array(0..<calls * perCall), "\(key)") }
        #expect(partitions.values.allSatisfy { $0.count == 1 })
        #expect(Set(partitions.values.flatMap { $0 }).count > 1)
    }

    @Test("Calls that do not wait for each other keep their order too", arguments: Broker.all)
    func orderAcrossOverlappingCalls(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        var configuration = broker.producer()
        configuration.maxMessagesInFlight = 7
        try await withKafkaProducer(configuration: configuration, logger: .quiet) { producer in
            var running: [Task<[KafkaPublishResult], Never>] = []
            for call in 0..<40 {
                let task = Task.immediate {
                    await producer.publish((0..<5).map { KafkaRecord(topic: topic, value: "\(call * 5 + $0)".bytes) })
                }
                running.append(task)
            }
            for task in running { #expect(await task.value.allSatisfy { $0.isPersisted }) }
        }
        let read = try await collect(KafkaTopicReader(configuration: broker.client, topics: [topic], logger: .quiet))
        #expect(read.map { String(decoding: $0.value ?? [], as: UTF8.self) } == (0..<200).map(String.init))
    }

    @Test("The producer is idempotent on the wire: the broker has given it an id", arguments: Broker.all)
    func idempotence(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        let observer = RecordingObserver()
        try await withKafkaProducer(configuration: broker.producer(), logger: .quiet, observer: observer) { producer in
            #expect(await producer.publish(KafkaRecord(topic: topic, value: [1])).isPersisted)
            #expect(producer.brokerState == .up)
            try await eventually("statistics show a producer id") {
                observer.statistics.contains { $0.producerID != nil }
            }
        }
        #expect(observer.statistics.contains { $0.connectedBrokers >= 1 })
        #expect(observer.states.first == .up)
    }

    @Test("Reading by hand goes on exactly at stored offsets", arguments: Broker.all)
    func manualAssignment(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic(partitions: 2)
        try await fill(broker, topic, partitions: 2, each: 50)
        var stored: [KafkaTopicPartition: Int64] = [:]
        var seen: [KafkaTopicPartition: [Int64]] = [:]
        // Three readers in turn, each taking over where the database says.
        for _ in 0..<3 {
            let places = (0..<2).map { number in
                let partition = KafkaTopicPartition(topic: topic, partition: Int32(number))
                return KafkaTopicPartitionOffset(partition, stored[partition].map { .at($0) } ?? .beginning)
            }
            try await withKafkaConsumer(configuration: broker.consumer(), logger: .quiet) { consumer in
                try await consumer.assign(places)
                #expect(try await consumer.assignment() == places.map(\.topicPartition))
                for record in try await read(33, from: consumer, max: 10) {
                    stored[record.topicPartition] = record.offset + 1
                    seen[record.topicPartition, default: []].append(record.offset)
                }
                let positions = try await consumer.positions()
                for (partition, offset) in stored { #expect(positions[partition] == offset) }
            }
        }
        #expect(seen.values.map(\.count).reduce(0, +) == 99)
        for offsets in seen.values { #expect(offsets == Array(0..<Int64(offsets.count))) }
    }

    @Test("Committed offsets by hand, seen by the admin and by the next reader", arguments: Broker.all)
    func manualCommit(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        let group = unique()
        try await fill(broker, topic, partitions: 1, each: 10)
        let partition = KafkaTopicPartition(topic: topic, partition: 0)
        try await withKafkaConsumer(configuration: broker.consumer(group: group), logger: .quiet) { consumer in
            #expect(try await consumer.committed([partition]) == [:])
            try await consumer.assign([KafkaTopicPartitionOffset(partition, .beginning)])
            _ = try await read(4, from: consumer)
            try await consumer.commit([partition: 4])
            #expect(try await consumer.committed([partition]) == [partition: 4])
        }
        try await withKafkaConsumer(configuration: broker.consumer(group: group), logger: .quiet) { consumer in
            try await consumer.assign([KafkaTopicPartitionOffset(partition, .committed)])
            #expect(try await read(6, from: consumer).map(\.offset) == [4, 5, 6, 7, 8, 9])
        }
        let offsets = try await withKafkaAdmin(configuration: broker.client, logger: .quiet) { admin in
            try await admin.committedOffsets(group: group, [partition])
        }
        #expect(offsets == [partition: 4])
    }

    @Test("A group goes on where it committed", arguments: Broker.all)
    func groupResume(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic(partitions: 3)
        let group = unique()
        try await fill(broker, topic, partitions: 3, each: 20)
        var seen: Set<String> = []
        for _ in 0..<2 {
            try await withKafkaConsumer(configuration: broker.consumer(group: group), logger: .quiet) { consumer in
                try await consumer.subscribe([topic])
                var next: [KafkaTopicPartition: Int64] = [:]
                for record in try await read(30, from: consumer, max: 7) {
                    #expect(seen.insert("\(record.partition)/\(record.offset)").inserted)
                    next[record.topicPartition] = record.offset + 1
                }
                try await consumer.commit(next)
            }
        }
        #expect(seen.count == 60)
    }

    @Test(
        "Two members share the partitions; when one leaves, the other has all",
        arguments: Broker.all,
        assignors
    )
    func rebalance(_ broker: Broker, _ assignor: KafkaAssignor) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic(partitions: 4)
        var configuration = broker.consumer(group: unique())
        configuration.assignor = assignor
        configuration.heartbeatInterval = .milliseconds(200)
        configuration.sessionTimeout = .seconds(6)
        let firstHandler = RecordingRebalances()
        let firstDone = Flag()
        try await withKafkaConsumer(
            configuration: configuration,
            logger: .quiet,
            rebalanceHandler: firstHandler
        ) { one in
            try await one.subscribe([topic])
            try await pump([one]) { firstHandler.owned.count == 4 }
            let secondHandler = RecordingRebalances()
            try await withKafkaConsumer(
                configuration: configuration,
                logger: .quiet,
                rebalanceHandler: secondHandler
            ) { two in
                try await two.subscribe([topic])
                try await pump([one, two]) { firstHandler.owned.count == 2 && secondHandler.owned.count == 2 }
                #expect(firstHandler.owned.union(secondHandler.owned).count == 4)
                #expect(Set(try await two.assignment()) == secondHandler.owned)
            }
            #expect(secondHandler.owned.isEmpty)
            try await pump([one]) { firstHandler.owned.count == 4 }
            firstDone.set()
        }
        #expect(firstDone.isSet && firstHandler.owned.isEmpty)
    }

    @Test("A group's start offsets can come from the caller's own store", arguments: Broker.all)
    func rebalanceWithOwnOffsets(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        try await fill(broker, topic, partitions: 1, each: 10)
        let handler = RecordingRebalances(start: .at(7))
        let configuration = broker.consumer(group: unique())
        try await withKafkaConsumer(configuration: configuration, logger: .quiet, rebalanceHandler: handler) {
            consumer in
            try await consumer.subscribe([topic])
            #expect(try await read(3, from: consumer).map(\.offset) == [7, 8, 9])
        }
    }

    @Test(
        "A topic is read to its end: all of it, in order, also empty, from the middle and by batches",
        arguments: Broker.all
    )
    func readToEnd(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic(partitions: 3)
        func reader(_ start: KafkaTopicReader.Start = .beginning) -> KafkaTopicReader {
            KafkaTopicReader(configuration: broker.client, topics: [topic], start: start, batchSize: 64, logger: .quiet)
        }
        #expect(try await collect(reader()).isEmpty)
        try await fill(broker, topic, partitions: 2, each: 500)
        let all = try await collect(reader())
        #expect(all.count == 1_000)
        for partition in 0..<2 {
            #expect(all.filter { $0.partition == partition }.map(\.offset) == Array(0..<500))
        }
        #expect(try await collect(reader(.tail(3))).map(\.offset).sorted() == [497, 497, 498, 498, 499, 499])
        #expect(try await collect(reader(.end)).isEmpty)
        let place = KafkaTopicPartition(topic: topic, partition: 1)
        #expect(try await collect(reader(.offsets([place: 490]))).count == 510)
        var iterator = reader().makeAsyncIterator()
        var batches: [Int] = []
        while true {
            let batch = try await iterator.nextBatch()
            if batch.isEmpty { break }
            batches.append(batch.count)
        }
        #expect(batches.reduce(0, +) == 1_000 && batches.allSatisfy { $0 <= 64 })
        await #expect(throws: KafkaError.self) {
            _ = try await collect(KafkaTopicReader(configuration: broker.client, topics: [unique()], logger: .quiet))
        }
    }

    @Test("Following a topic brings what comes later", arguments: Broker.all)
    func follow(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        try await fill(broker, topic, partitions: 1, each: 3)
        let reader = KafkaTopicReader(
            configuration: broker.client,
            topics: [topic],
            start: .tail(1),
            mode: .follow,
            logger: .quiet
        )
        let iterator = Unshared(reader.makeAsyncIterator())
        #expect(try await iterator.next()?.offset == 2)
        async let later = iterator.next()
        try await fill(broker, topic, partitions: 1, each: 1)
        #expect(try await later?.offset == 3)
    }

    @Test("Ends of partitions are reported where asked for", arguments: Broker.all)
    func ends(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        try await fill(broker, topic, partitions: 1, each: 5)
        var configuration = broker.consumer()
        configuration.partitionEOF = true
        let partition = KafkaTopicPartition(topic: topic, partition: 0)
        try await withKafkaConsumer(configuration: configuration, logger: .quiet) { consumer in
            try await consumer.assign([KafkaTopicPartitionOffset(partition, .beginning)])
            var count = 0
            var end: Int64?
            try await eventually("the end is reported") {
                let poll = try await consumer.poll(max: 100, wait: .milliseconds(200))
                count += poll.records.count
                end = end ?? poll.ends[partition]
                return end != nil
            }
            #expect(count == 5 && end == 5)
        }
    }

    @Test("Pause, resume, seek, watermarks, lag", arguments: Broker.all)
    func movingAbout(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        let partition = KafkaTopicPartition(topic: topic, partition: 0)
        try await fill(broker, topic, partitions: 1, each: 20)
        try await withKafkaConsumer(configuration: broker.consumer(), logger: .quiet) { consumer in
            #expect(try await consumer.watermarks([partition]) == [partition: KafkaWatermarks(low: 0, high: 20)])
            try await consumer.assign([KafkaTopicPartitionOffset(partition, .at(5))])
            #expect(try await consumer.positions() == [partition: 5])
            #expect(try await read(5, from: consumer).map(\.offset) == Array(5..<10))
            #expect(try await consumer.lag() == [partition: 10])

            try await consumer.pause([partition])
            #expect(try await consumer.nextBatch(max: 10, wait: .milliseconds(300)).isEmpty)
            try await consumer.resume([partition])
            #expect(try await read(2, from: consumer).map(\.offset) == [10, 11])

            try await consumer.seek([KafkaTopicPartitionOffset(partition, .at(0))])
            #expect(try await read(1, from: consumer).map(\.offset) == [0])
            try await consumer.seek([KafkaTopicPartitionOffset(partition, .at(19))])
            #expect(try await read(1, from: consumer).map(\.offset) == [19])
            #expect(try await consumer.lag() == [partition: 0])
        }
    }

    @Test("Large records pass, too large ones are told apart, neighbours are not harmed", arguments: Broker.all)
    func largeRecords(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        let large = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let results = try await withKafkaProducer(configuration: broker.producer(), logger: .quiet) { producer in
            await producer.publish([
                KafkaRecord(topic: topic, value: [1]), KafkaRecord(topic: topic, value: large),
                KafkaRecord(topic: topic, value: Array(repeating: 0, count: 1_000_001)),
                KafkaRecord(topic: topic, value: [2]),
            ])
        }
        #expect(
            results == [
                .persisted(partition: 0, offset: 0), .persisted(partition: 0, offset: 1), .tooLarge,
                .persisted(partition: 0, offset: 2),
            ]
        )
        let read = try await collect(KafkaTopicReader(configuration: broker.client, topics: [topic], logger: .quiet))
        #expect(read.map { $0.value?.count } == [1, 900_000, 1])
        #expect(read[1].value == large)
    }

    @Test("What no broker can take is a result, not a trap", arguments: Broker.all)
    func unacceptableRecords(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        let results = try await withKafkaProducer(configuration: broker.producer(), logger: .quiet) { producer in
            await producer.publish([
                KafkaRecord(topic: "", value: []), KafkaRecord(topic: "zero\u{0}byte", value: []),
                KafkaRecord(topic: topic, partition: 99, value: []),
                KafkaRecord(topic: topic, partition: -5, value: []),
                KafkaRecord(topic: topic, value: [], headers: [KafkaHeader("a\u{0}b", [])]),
                KafkaRecord(topic: String(repeating: "x", count: 1_000), value: []),
                KafkaRecord(topic: topic, value: [], timestampMilliseconds: -1), KafkaRecord(topic: topic, value: [9]),
            ])
        }
        #expect(results.prefix(6).allSatisfy { if case .notPersisted = $0 { true } else { false } }, "\(results)")
        #expect(results.suffix(2).allSatisfy { $0.isPersisted })
    }

    @Test("A slow reader is not flooded: the queue stays within its bound", arguments: Broker.all)
    func boundedQueue(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        try await fill(broker, topic, partitions: 1, each: 200, size: 20_000)
        let observer = RecordingObserver()
        var configuration = broker.consumer()
        configuration.maxQueuedBytes = 512 * 1024
        configuration.fetchMaxBytes = 1024 * 1024
        try await withKafkaConsumer(configuration: configuration, logger: .quiet, observer: observer) { consumer in
            try await consumer.assign([KafkaTopicPartitionOffset(topic: topic, partition: 0, offset: .beginning)])
            _ = try await read(1, from: consumer, max: 1)
            try await eventually("three snapshots of the queue") {
                observer.statistics.count { $0.partitions.contains { $0.queuedMessages > 0 } } >= 3
            }
            let most = observer.statistics.flatMap(\.partitions).map(\.queuedBytes).max() ?? 0
            #expect(most > 0 && most < 2_700_000, "\(most) of 4,000,000 bytes were fetched ahead")
            #expect(try await read(199, from: consumer).last?.offset == 199)
        }
    }

    @Test("Waiting, cancellation and the end", arguments: Broker.all)
    func lifetimes(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        let producer = try KafkaProducer(configuration: broker.producer(), logger: .quiet)
        // Handed in before the start: waits for it.
        async let early = producer.publish(KafkaRecord(topic: topic, value: [1]))
        let running = Task { try await producer.run() }
        #expect(await early == .persisted(partition: 0, offset: 0))
        await #expect(throws: KafkaError(.alreadyRunning)) { try await producer.run() }
        producer.shutdown()
        try await running.value
        #expect(await producer.publish(KafkaRecord(topic: topic, value: [2])) == .notPersisted(.closed))
        #expect(await producer.publish([]) == [])
        await #expect(throws: KafkaError(.closed)) { try await producer.run() }

        let consumer = try KafkaConsumer(configuration: broker.consumer(), logger: .quiet)
        let reading = Task {
            try await consumer.assign([KafkaTopicPartitionOffset(topic: topic, partition: 0, offset: .beginning)])
            return try await read(1, from: consumer)
        }
        let consumerRun = Task { try await consumer.run() }
        #expect(try await reading.value.count == 1)
        // A reader that waits is let go by cancellation, and nothing is lost.
        let waiting = Task { try await consumer.nextBatch(max: 1, wait: .seconds(60)) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        let waitingForEnd = Task { try await consumer.nextBatch(max: 1, wait: .seconds(60)) }
        try await withKafkaProducer(configuration: broker.producer(), logger: .quiet) { other in
            #expect(await other.publish(KafkaRecord(topic: topic, value: [3])).isPersisted)
        }
        #expect(try await waitingForEnd.value.map(\.offset) == [1])
        let last = Task { try await consumer.nextBatch(max: 1, wait: .seconds(60)) }
        consumerRun.cancel()
        try await consumerRun.value
        await #expect(throws: KafkaError(.closed)) { try await last.value }
        await #expect(throws: KafkaError(.closed)) { try await consumer.nextBatch(max: 1, wait: .zero) }

        let unused = try KafkaConsumer(configuration: broker.consumer(), logger: .quiet)
        unused.shutdown()
        await #expect(throws: KafkaError(.closed)) { try await unused.run() }
    }

    @Test("Topics and their partitions are listed; asking creates none", arguments: Broker.all)
    func topics(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic(partitions: 3)
        let missing = unique()
        try await withKafkaAdmin(configuration: broker.client, logger: .quiet) { admin in
            #expect(try await admin.topic(topic) == KafkaTopic(name: topic, partitions: [0, 1, 2]))
            #expect(try await admin.topic(missing) == nil)
            #expect(try await admin.topic(missing) == nil)
            let names = try await admin.topics().map(\.name)
            #expect(names == names.sorted() && names.contains(topic))
            #expect(
                try await admin.watermarks([KafkaTopicPartition(topic: topic, partition: 2)]).values.first?.high == 0
            )
            #expect(admin.brokerState == .up)
        }
    }
}

/// librdkafka 2.0.2 can abort the process when a cooperative member closes at the wrong moment (see ``KafkaAssignor``), so that
/// assignor is tried on request only: `KAFKA_TEST_COOPERATIVE=1`.
private let assignors: [KafkaAssignor] =
    ProcessInfo.processInfo.environment["KAFKA_TEST_COOPERATIVE"] == nil
    ? [.range, .roundRobin] : [.cooperativeSticky, .range, .roundRobin]
