import Kafka
import Testing

/// Not a benchmark: catches a client that has become slow by an order of magnitude (a lost batch, a poll that waits for nothing).
@Suite("Kafka pace", .timeLimit(.minutes(2)), .serialized)
struct PaceTests {
    @Test("Windows of small records are published and read back at a sane rate", arguments: Broker.all)
    func throughput(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        // The mock keeps 5 MiB per partition.
        let count = 10_000
        let window = 500
        let value = [UInt8](repeating: 120, count: 300)
        let headers = [KafkaHeader("ce_id", "0190-0000".bytes), KafkaHeader("ce_type", "example.v1".bytes)]
        let clock = ContinuousClock()
        let publishing = try await withKafkaProducer(configuration: broker.producer(), logger: .quiet) { producer in
            #expect(await producer.publish(KafkaRecord(topic: topic, value: [])).isPersisted)
            return await clock.measure {
                for start in stride(from: 0, to: count, by: window) {
                    let records = (start..<start + window).map {
                        KafkaRecord(topic: topic, key: "\($0 % 100)".bytes, value: value, headers: headers)
                    }
                    let results = await producer.publish(records)
                    #expect(results.allSatisfy { $0.isPersisted })
                }
            }
        }
        var read = 0
        let reading = try await clock.measure {
            var records = KafkaTopicReader(configuration: broker.client, topics: [topic], logger: .quiet)
                .makeAsyncIterator()
            while try await records.next() != nil { read += 1 }
        }
        #expect(read == count + 1)
        #expect(publishing < .seconds(20), "published in \(publishing)")
        #expect(reading < .seconds(20), "read in \(reading)")
        print("pace: published \(count) in \(publishing), read in \(reading)")
    }

    @Test(
        "A single record is acknowledged within milliseconds: nothing waits for a timer but linger",
        arguments: Broker.all
    )
    func latency(_ broker: Broker) async throws {
        let broker = try broker.open()
        let topic = try await broker.topic()
        let clock = ContinuousClock()
        try await withKafkaProducer(configuration: broker.producer(), logger: .quiet) { producer in
            var configuration = broker.consumer()
            // The mock answers a waiting fetch only when its time is over.
            if broker.mock != nil { configuration.fetchMaxWait = .milliseconds(10) }
            try await withKafkaConsumer(configuration: configuration, logger: .quiet) { consumer in
                #expect(await producer.publish(KafkaRecord(topic: topic, value: [])).isPersisted)
                try await consumer.assign([KafkaTopicPartitionOffset(topic: topic, partition: 0, offset: .at(1))])
                _ = try await consumer.nextBatch(max: 1, wait: .milliseconds(100))
                var publish: [Duration] = []
                var arrive: [Duration] = []
                for _ in 0..<100 {
                    let start = clock.now
                    async let arrival = consumer.nextBatch(max: 1, wait: .seconds(10))
                    #expect(await producer.publish(KafkaRecord(topic: topic, value: [1])).isPersisted)
                    publish.append(clock.now - start)
                    #expect(try await arrival.count == 1)
                    arrive.append(clock.now - start)
                }
                print("pace: acknowledged p50 \(publish.sorted()[50]), arrived p50 \(arrive.sorted()[50])")
                #expect(publish.sorted()[50] < .milliseconds(150))
                #expect(arrive.sorted()[50] < .milliseconds(300))
            }
        }
    }
}
