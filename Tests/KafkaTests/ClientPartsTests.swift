import Logging
import Testing

@testable import Kafka

@Suite("Client: configuration, states, statistics, errors")
struct ClientPartsTests {
    private let client = KafkaClientConfiguration(bootstrapServers: "127.0.0.1:1")

    @Test("The guarantees are in the settings, and librdkafka accepts all of them")
    func settings() throws {
        let producer = KafkaProducerConfiguration(client: client)
        let set = Dictionary(producer.settings, uniquingKeysWith: { $1 })
        #expect(set["enable.idempotence"] == "true")
        #expect(set["acks"] == "all")
        #expect(set["message.timeout.ms"] == "0")
        #expect(set["linger.ms"] == "10")
        #expect(set["partitioner"] == "murmur2_random")
        _ = try KafkaProducer(configuration: producer, logger: .quiet)

        var consumer = KafkaConsumerConfiguration(client: client, groupID: "g")
        consumer.groupInstanceID = "one"
        let read = Dictionary(consumer.settings, uniquingKeysWith: { $1 })
        #expect(read["enable.auto.commit"] == "false")
        #expect(read["enable.auto.offset.store"] == "false")
        #expect(read["auto.offset.reset"] == "earliest")
        #expect(read["check.crcs"] == "true")
        #expect(read["queued.max.messages.kbytes"] == "32768")
        _ = try KafkaConsumer(configuration: consumer, logger: .quiet)
        _ = try KafkaAdmin(configuration: client, logger: .quiet)
    }

    @Test("Extreme values are kept within what librdkafka takes")
    func extremes() throws {
        var client = client
        client.connectTimeout = .zero
        client.requestTimeout = .seconds(1_000_000_000_000)
        client.reconnectBackoff = .seconds(-5)
        client.statisticsInterval = .zero
        var producer = KafkaProducerConfiguration(client: client)
        producer.maxMessagesInFlight = 0
        producer.maxBytesInFlight = .max
        producer.maxRecordBytes = 0
        producer.linger = .zero
        producer.messageTimeout = .zero
        _ = try KafkaProducer(configuration: producer, logger: .quiet)
        var consumer = KafkaConsumerConfiguration(client: client)
        consumer.maxQueuedBytes = .max
        consumer.maxQueuedMessagesPerPartition = -1
        consumer.fetchMaxBytes = .max
        consumer.maxPollInterval = .zero
        _ = try KafkaConsumer(configuration: consumer, logger: .quiet)
    }

    @Test("Unknown and reserved properties are refused with a sentence, before anything starts")
    func refusals() {
        for (name, value) in [
            ("no.such.setting", "1"), ("acks", "0"), ("enable.idempotence", "false"), ("client.rack", "\u{0}x"),
        ] {
            var client = client
            client.properties = [name: value]
            if name == "client.rack" { continue }
            let error = #expect(throws: KafkaError.self) {
                _ = try KafkaProducer(configuration: KafkaProducerConfiguration(client: client), logger: .quiet)
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.isRetriable == false)
            #expect(error?.sentence.contains(name) == true)
        }
    }

    @Test("Durations become milliseconds: up, never below or above the range")
    func durations() {
        #expect(Duration.microseconds(1).wholeMilliseconds(0...10) == 1)
        #expect(Duration.milliseconds(7).wholeMilliseconds(0...10) == 7)
        #expect(Duration.milliseconds(-7).wholeMilliseconds(1...10) == 1)
        #expect(Duration.seconds(Int64.max / 2).wholeMilliseconds(1...10) == 10)
        #expect(Duration.zero.wholeMilliseconds(0...10) == 0)
    }

    @Test("Broker state: faults at once, one snapshot in a gap is no fault, answers bring it back")
    func states() {
        var tracker = BrokerStateTracker()
        #expect(tracker.snapshot(connectedBrokers: 0) == nil)
        #expect(tracker.answered() == .up)
        #expect(tracker.answered() == nil)
        #expect(tracker.snapshot(connectedBrokers: 0) == nil)
        #expect(tracker.snapshot(connectedBrokers: 1) == nil)
        #expect(tracker.snapshot(connectedBrokers: 0) == nil)
        #expect(tracker.snapshot(connectedBrokers: 0) == .down)
        #expect(tracker.snapshot(connectedBrokers: 2) == .up)
        #expect(tracker.allBrokersDown() == .down)
        #expect(tracker.allBrokersDown() == nil)
        #expect(tracker.answered() == .up)
    }

    @Test("Statistics: what is needed is read, the rest ignored, rubbish refused")
    func statistics() throws {
        let json = """
            {"name":"test#consumer-1","client_id":"test","type":"consumer","msg_cnt":3,"msg_size":30,"txmsgs":7,"rxmsgs":8,
             "eos":{"producer_id":-1},
             "brokers":{"b/1":{"name":"b/1","nodeid":1,"state":"UP","source":"learned","waitresp_cnt":2,"rtt":{"min":1,"avg":450}},
                        "c":{"name":"GroupCoordinator","nodeid":-1,"state":"UP","source":"logical"},
                        "a":{"name":"a","state":"DOWN","source":"configured"}},
             "topics":{"t":{"topic":"t","age":1,"partitions":{
                "0":{"partition":0,"fetchq_cnt":4,"fetchq_size":40,"hi_offset":100,"app_offset":60,"committed_offset":-1001},
                "1":{"partition":1,"hi_offset":-1001,"app_offset":-1001,"committed_offset":5},
                "-1":{"partition":-1}}}}}
            """
        let statistics = try #require(KafkaStatistics(json: json.bytes))
        #expect(statistics.client == "test#consumer-1")
        #expect(statistics.queuedMessages == 3 && statistics.messagesSent == 7 && statistics.messagesReceived == 8)
        #expect(statistics.producerID == nil)
        #expect(statistics.connectedBrokers == 1)
        #expect(statistics.brokers.count == 3)
        #expect(statistics.partitions.count == 2)
        #expect(statistics.partitions[0].lag == 40 && statistics.partitions[0].queuedBytes == 40)
        #expect(statistics.partitions[1].lag == nil && statistics.partitions[1].committed == 5)
        for rubbish in ["", "{}", "[]", "null", "{\"name\":1}", "{\"name\":\"x\",\"brokers\":[]}", "\u{1F600}"] {
            #expect(KafkaStatistics(json: rubbish.bytes) == nil)
        }
    }

    @Test("Error codes have names, sentences and a class, also unknown ones")
    func codes() {
        #expect(KafkaErrorCode.transport.isRetriable)
        #expect(KafkaErrorCode.unknownTopicOrPartition.isRetriable)
        #expect(!KafkaErrorCode.messageTooLarge.isRetriable)
        #expect(!KafkaErrorCode.topicAuthorizationFailed.isRetriable)
        #expect(!KafkaErrorCode.badMessage.isRetriable)
        #expect(KafkaErrorCode.topicExists.description == "TOPIC_ALREADY_EXISTS")
        for raw in [Int32.min, -10_002, -500, -199, -150, -1, 0, 1, 45, 88, 119, 5_000, Int32.max] {
            let code = KafkaErrorCode(rawValue: raw)
            #expect(!code.description.isEmpty)
            #expect(!KafkaError(code).sentence.isEmpty)
        }
        let error = KafkaError(.timedOut, "Asking.")
        #expect(error.isRetriable && !error.isFatal)
        #expect(error.description.contains("Asking.") && error.file.contains("ClientPartsTests") && error.line > 0)
        #expect(KafkaError(.timedOut, "Asking.", file: "other", line: 1) == error)
    }

    @Test("Progress of a read to the end: by records, and by reported ends across holes")
    func progress() {
        let first = KafkaTopicPartition(topic: "t", partition: 0)
        let second = KafkaTopicPartition(topic: "t", partition: 1)
        var progress = ReadProgress()
        #expect(progress.isComplete)
        progress.expect(first, from: 3, to: 3)
        #expect(progress.isComplete)
        progress.expect(first, from: 0, to: 2)
        progress.expect(second, from: 0, to: 5)
        var poll = KafkaPoll()
        let nothing = progress.advance(poll)
        #expect(!nothing)
        poll.records = [KafkaReceivedRecord(topic: "t", partition: 0, offset: 1, value: nil)]
        let something = progress.advance(poll)
        #expect(something)
        #expect(!progress.isComplete)
        poll = KafkaPoll()
        poll.ends = [second: 4]
        _ = progress.advance(poll)
        #expect(!progress.isComplete)
        poll.ends = [second: 5]
        _ = progress.advance(poll)
        #expect(progress.isComplete)
    }

    @Test("Small values: order, description, last header")
    func values() {
        let places = [("b", 0), ("a", 10), ("a", 9)].map { KafkaTopicPartition(topic: $0.0, partition: Int32($0.1)) }
        #expect(places.sorted().map(\.description) == ["a[9]", "a[10]", "b[0]"])
        let record = KafkaReceivedRecord(
            topic: "t",
            partition: 0,
            offset: 0,
            value: nil,
            headers: [KafkaHeader("h", [1]), KafkaHeader("h", [2])]
        )
        #expect(record.header("h") == [2] && record.header("H") == nil)
        #expect(KafkaRecord(topic: "t", key: [1, 2], value: [3], headers: [KafkaHeader("ab", [4])]).windowBytes == 70)
    }
}
