import NIOCore
import Testing

@testable import EventLog

@Suite struct ProduceFetchTests {
    @Test func whatIsProducedIsFetched() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            let first = try await client.produce("t", 0, TestBatch.make(["a", "b"]))
            #expect(first.error == .none)
            #expect(first.baseOffset == 0)
            let second = try await client.produce("t", 0, TestBatch.make(["c"]))
            #expect(second.baseOffset == 2)
            let fetched = try await client.fetch(TestClient.fetchRequest("t", offset: 0))
            #expect(fetched.highWatermark == 3)
            #expect(TestBatch.values(fetched.records ?? ByteBuffer()) == [0: "a", 1: "b", 2: "c"])
            let middle = try await client.fetch(TestClient.fetchRequest("t", offset: 2))
            #expect(TestBatch.values(middle.records ?? ByteBuffer()) == [2: "c"])
        }
    }

    @Test func limitsStillGiveOneBatch() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            let large = String(repeating: "z", count: 5000)
            for _ in 0..<3 { _ = try await client.produce("t", 0, TestBatch.make([large])) }
            let one = try await client.fetch(TestClient.fetchRequest("t", offset: 1, maxBytes: 10))
            #expect(Array(TestBatch.values(one.records ?? ByteBuffer()).keys) == [1])
            let two = try await client.fetch(TestClient.fetchRequest("t", offset: 0, maxBytes: 11_000))
            #expect(TestBatch.values(two.records ?? ByteBuffer()).keys.sorted() == [0, 1])
        }
    }

    @Test func fetchWaitsForData() async throws {
        try await TestServer.with { test in
            let consumer = try await test.client()
            let producer = try await test.client()
            try await producer.createTopic("t")
            try await consumer.send(.fetch, TestClient.fetchRequest("t", offset: 0, maxWaitMs: 20_000), version: 12)
            let start = ContinuousClock.now
            _ = try await producer.produce("t", 0, TestBatch.make(["late"]))
            let response = try await consumer.receive(.fetch, FetchResponse.self, version: 12)
            #expect(TestBatch.values(response.topics[0].partitions[0].records ?? ByteBuffer()) == [0: "late"])
            #expect(ContinuousClock.now - start < .seconds(10))
            // And ends without data when its time is up.
            let empty = try await consumer.fetch(TestClient.fetchRequest("t", offset: 1, maxWaitMs: 20))
            #expect(empty.records?.readableBytes == 0)
            #expect(empty.error == .none)
        }
    }

    @Test func minimumBytesAreWaitedFor() async throws {
        try await TestServer.with { test in
            let consumer = try await test.client()
            let producer = try await test.client()
            try await producer.createTopic("t")
            try await consumer.send(
                .fetch,
                TestClient.fetchRequest("t", offset: 0, maxWaitMs: 20_000, minBytes: 400),
                version: 11
            )
            for number in 0..<10 { _ = try await producer.produce("t", 0, TestBatch.make(["value \(number)"])) }
            let response = try await consumer.receive(.fetch, FetchResponse.self, version: 11)
            #expect(response.topics[0].partitions[0].records?.readableBytes ?? 0 >= 400)
        }
    }

    @Test func offsetsOutsideTheLog() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            _ = try await client.produce("t", 0, TestBatch.make(["a"]))
            #expect(try await client.fetch(TestClient.fetchRequest("t", offset: 2)).error == .offsetOutOfRange)
            #expect(try await client.fetch(TestClient.fetchRequest("t", offset: -5)).error == .offsetOutOfRange)
            #expect(
                try await client.fetch(TestClient.fetchRequest("t", 7, offset: 0)).error == .unknownTopicOrPartition
            )
            #expect(try await client.fetch(TestClient.fetchRequest("u", offset: 0)).error == .unknownTopicOrPartition)
        }
    }

    @Test func pipelinedProducingIsAnsweredInOrder() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t", partitions: 3)
            let id = try await client.producerId()
            for number in 0..<60 {
                let batch = TestBatch.make(["\(number)"], producerId: id, epoch: 0, sequence: Int32(number / 3))
                try await client.send(.produce, TestClient.produceRequest("t", Int32(number % 3), batch), version: 9)
            }
            for number in 0..<60 {
                let response = try await client.receive(.produce, ProduceResponse.self, version: 9)
                #expect(response.topics[0].partitions[0].index == Int32(number % 3))
                #expect(response.topics[0].partitions[0].baseOffset == Int64(number / 3))
            }
        }
    }

    @Test func repeatedAndMisplacedSequences() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            let id = try await client.producerId()
            func send(_ sequence: Int32, epoch: Int16 = 0, count: Int = 1) async throws -> ProduceResponse.Partition {
                let values = (0..<count).map { "\(sequence)+\($0)" }
                return try await client.produce(
                    "t",
                    0,
                    TestBatch.make(values, producerId: id, epoch: epoch, sequence: sequence)
                )
            }
            for sequence in Int32(0)..<7 { #expect(try await send(sequence).baseOffset == Int64(sequence)) }
            #expect(try await send(4).baseOffset == 4)
            #expect(try await send(6).baseOffset == 6)
            #expect(try await send(1).error == .duplicateSequence)
            #expect(try await send(9).error == .outOfOrderSequence)
            #expect(try await send(3, epoch: 1).error == .outOfOrderSequence)
            #expect(try await send(0, epoch: 1).baseOffset == 7)
            #expect(try await send(7, epoch: 0).error == .invalidProducerEpoch)
            #expect(try await client.fetch(TestClient.fetchRequest("t", offset: 0)).highWatermark == 8)
        }
    }

    @Test func duplicatesAreKnownAfterARestart() async throws {
        let first = try await TestServer.start()
        let client = try await first.client()
        try await client.createTopic("t")
        let id = try await client.producerId()
        let batch = TestBatch.make(["only once"], producerId: id, epoch: 0, sequence: 0)
        #expect(try await client.produce("t", 0, batch).baseOffset == 0)
        try await first.server.stop()
        let second = try await TestServer.start(directory: first.directory)
        let again = try await second.client()
        #expect(try await again.produce("t", 0, batch).baseOffset == 0)
        #expect(try await again.fetch(TestClient.fetchRequest("t", offset: 0)).highWatermark == 1)
        #expect(try await again.producerId() > id)
        try await second.stop()
    }

    @Test func badBatchesAreRefused() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            var flipped = TestBatch.make(["a"])
            flipped.setInteger(UInt8(0xFF), at: flipped.writerIndex - 2)
            #expect(try await client.produce("t", 0, flipped).error == .corruptMessage)
            var two = TestBatch.make(["a"])
            var other = TestBatch.make(["b"])
            two.writeBuffer(&other)
            #expect(try await client.produce("t", 0, two).error == .invalidRecord)
            var old = TestBatch.make(["a"])
            old.setInteger(Int8(1), at: 16)
            #expect(try await client.produce("t", 0, old).error == .unsupportedForMessageFormat)
            let control = TestBatch.make(["a"], attributes: BatchHeader.controlFlag)
            #expect(try await client.produce("t", 0, control).error == .invalidRecord)
            let codec = TestBatch.make(["a"], attributes: 5)
            #expect(try await client.produce("t", 0, codec).error == .unsupportedCompressionType)
            let garbage = TestBatch.make(["a", "b"], payload: [1, 2, 3])
            #expect(try await client.produce("t", 0, garbage).error == .invalidRecord)
            let huge = TestBatch.make([String(repeating: "h", count: 1_100_000)])
            #expect(try await client.produce("t", 0, huge).error == .messageTooLarge)
            #expect(try await client.produce("t", 0, ByteBuffer()).error == .corruptMessage)
            #expect(try await client.produce("t", 3, TestBatch.make(["a"])).error == .unknownTopicOrPartition)
            let acks = try await client.call(
                .produce,
                TestClient.produceRequest("t", 0, TestBatch.make(["a"]), acks: 2),
                ProduceResponse.self,
                version: 7
            )
            #expect(acks.topics[0].partitions[0].error == .invalidRequiredAcks)
            let version2 = try await client.call(
                .produce,
                TestClient.produceRequest("t", 0, TestBatch.make(["a"])),
                ProduceResponse.self,
                version: 2
            )
            #expect(version2.topics[0].partitions[0].error == .unsupportedVersion)
            #expect(try await client.fetch(TestClient.fetchRequest("t", offset: 0)).highWatermark == 0)
        }
    }

    @Test func withoutAcknowledgements() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            try await client.send(
                .produce,
                TestClient.produceRequest("t", 0, TestBatch.make(["a"]), acks: 0),
                version: 7
            )
            // The next answer belongs to the next request: there was none before.
            let fetched = try await client.fetch(TestClient.fetchRequest("t", offset: 0, maxWaitMs: 5000))
            #expect(TestBatch.values(fetched.records ?? ByteBuffer()) == [0: "a"])
            try await client.send(
                .produce,
                TestClient.produceRequest("none", 0, TestBatch.make(["a"]), acks: 0),
                version: 7
            )
            #expect(await client.isClosedByServer())
        }
    }

    @Test func timesAreLookedUpExactly() async throws {
        try await TestServer.with({ $0.segmentBytes = 2000 }) { test in
            let client = try await test.client()
            try await client.createTopic("t")
            // 60 records, ten milliseconds apart, over several segments.
            for batch in Int64(0)..<20 {
                let times = (0..<3).map { 1000 + (batch * 3 + Int64($0)) * 10 }
                _ = try await client.produce(
                    "t",
                    0,
                    TestBatch.make(times.map { "\($0)" + String(repeating: "p", count: 60) }, timestamps: times)
                )
            }
            func find(_ time: Int64, version: Int16 = 7) async throws -> ListOffsetsResponse.Partition {
                let request = ListOffsetsRequest(topics: [.init(name: "t", partitions: [.init(timestamp: time)])])
                let response = try await client.call(.listOffsets, request, ListOffsetsResponse.self, version: version)
                return try #require(response.topics.first?.partitions.first)
            }
            for record in Int64(0)..<60 {
                let exact = try await find(1000 + record * 10)
                #expect(exact.offset == record)
                #expect(exact.timestamp == 1000 + record * 10)
                #expect(try await find(1000 + record * 10 - 9).offset == record)
            }
            #expect(try await find(1591).offset == -1)
            #expect(try await find(-1).offset == 60)
            #expect(try await find(-2).offset == 0)
            #expect(try await find(-3).offset == 59)
            #expect(try await find(-1, version: 0).oldStyleOffsets == [60])
        }
    }

    @Test func compressedTimesAreLookedUpExactly() async throws {
        // [5000, 5010, 5020] in one batch, made by other implementations of the formats.
        let records = TestBatch.records(["a", "b", "c"], timestamps: [5000, 5010, 5020])
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            for (codec, payload) in CompressionTests.encoded(records) {
                _ = try await client.produce(
                    "t",
                    0,
                    TestBatch.make(
                        ["a", "b", "c"],
                        timestamps: [5000, 5010, 5020],
                        attributes: codec,
                        payload: payload
                    )
                )
            }
            let request = ListOffsetsRequest(topics: [.init(name: "t", partitions: [.init(timestamp: 5005)])])
            let response = try await client.call(.listOffsets, request, ListOffsetsResponse.self, version: 5)
            #expect(response.topics[0].partitions[0].offset == 1)
            #expect(response.topics[0].partitions[0].timestamp == 5010)
        }
    }

    @Test func appendTimeReplacesTheProducersTime() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t", configs: ["message.timestamp.type": "LogAppendTime"])
            let answer = try await client.produce("t", 0, TestBatch.make(["a"]))
            #expect(answer.logAppendTimeMs > 1_600_000_000_000)
            let records = try await client.fetch(TestClient.fetchRequest("t", offset: 0)).records ?? ByteBuffer()
            let header = try #require(BatchHeader(records, at: records.readerIndex))
            #expect(header.maxTimestamp == answer.logAppendTimeMs)
            #expect(BatchCheck.isIntact(records, at: records.readerIndex, header: header))
        }
    }
}
