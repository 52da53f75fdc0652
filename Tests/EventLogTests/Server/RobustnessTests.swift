import NIOCore
import Telemetry
import Testing

@testable import EventLog

/// Hostile input closes its own connection and nothing else.
@Suite struct RobustnessTests {
    @Test func malformedFrames() async throws {
        try await TestServer.with({ $0.maxRequestBytes = 1 << 20 }) { test in
            let honest = try await test.client()
            try await honest.createTopic("t")
            let frames: [[UInt8]] = [
                [0xFF, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0], [0x7F, 0xFF, 0xFF, 0xFF], [0, 0, 0, 0], [0, 0, 0, 7],
                [0, 0, 0, 8, 0, 99, 0, 0, 0, 0, 0, 1],
                // An unknown version of a known request.
                [0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xFF, 0xFF],
                // A client id longer than the frame; a negative one below -1.
                [0, 0, 0, 10, 0, 3, 0, 1, 0, 0, 0, 1, 0x7F, 0xFF],
                [0, 0, 0, 10, 0, 3, 0, 1, 0, 0, 0, 1, 0x80, 0],
                // Array counts: negative, larger than the frame.
                [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xFF, 0xFF, 0x80, 0, 0, 0],
                [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF],
                // Tagged fields: a count without fields, a varint without end, a size beyond the frame.
                [0, 0, 0, 11, 0, 3, 0, 9, 0, 0, 0, 1, 0xFF, 0xFF, 0x7F],
                [0, 0, 0, 16, 0, 3, 0, 9, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
                [0, 0, 0, 13, 0, 3, 0, 9, 0, 0, 0, 1, 0xFF, 0xFF, 1, 5, 0x7F],
                // Text that is not UTF-8.
                [0, 0, 0, 18, 0, 3, 0, 1, 0, 0, 0, 1, 0xFF, 0xFF, 0, 0, 0, 1, 0, 2, 0xC3, 0x28],
            ]
            for frame in frames {
                let client = try await test.client()
                try await client.write(frame)
                #expect(await client.isClosedByServer(), "\(frame)")
            }
            #expect(try await honest.produce("t", 0, TestBatch.make(["still here"])).error == .none)
        }
    }

    /// Tagged fields that nobody knows are skipped in the header, in structs within arrays and at the end, whatever they
    /// hold: sections within sections cost no depth.
    @Test func unknownTaggedFieldsAreSkipped() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            // A tagged section that holds a tagged section, and so on, 40 deep.
            var section: [UInt8] = [0]
            for tag in UInt8(1)...40 { section = [1, tag, UInt8(section.count)] + section }
            let name: [UInt8] = [2, UInt8(ascii: "t")]
            // Metadata 9: one topic with tags; no authorised operations, creation allowed.
            let frame = [0, 3, 0, 9, 0, 0, 0, 1, 0xFF, 0xFF] + section + [2] + name + section + [1, 0, 0] + section
            try await client.write([0, 0, UInt8(frame.count >> 8), UInt8(frame.count & 0xFF)] + frame)
            let answer = try await client.receive(.metadata, MetadataResponse.self, version: 9)
            #expect(answer.topics.map(\.name) == ["t"])
        }
    }

    /// Honest requests with a few bytes changed: an answer or a closed connection, never the end of the server.
    @Test func mutatedRequests() async throws {
        try await TestServer.with { test in
            let honest = try await test.client()
            try await honest.createTopic("t")
            let vectors = GoldenVectorTests.vectors.filter { $0.message.hasSuffix("Request") && $0.variant == "full" }
            var random = SplitMix(seed: 11)
            for vector in vectors {
                let name = vector.message.dropLast("Request".count)
                let row = try #require(ApiTable.rows.first { "\($0.key)".lowercased() == name.lowercased() })
                var bytes = hexBytes(vector.hex)
                for _ in 0..<3 where !bytes.isEmpty {
                    bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
                        in: .min ... .max,
                        using: &random
                    )
                }
                var frame = ByteBuffer()
                frame.writeInteger(row.key.rawValue)
                frame.writeInteger(vector.version)
                frame.writeInteger(Int32(1))
                frame.writeInteger(Int16(-1))
                if vector.flexible { frame.writeInteger(UInt8(0)) }
                frame.writeBytes(bytes)
                let length = UInt32(frame.readableBytes)
                let client = try await test.client()
                try await client.write(
                    (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + Array(frame.readableBytesView)
                )
                // A fetch or a join may wait: the end of the connection is enough.
                await client.close()
            }
            #expect(try await honest.produce("t", 0, TestBatch.make(["still here"])).error == .none)
        }
    }

    @Test func aFrameThatDoesNotComplete() async throws {
        try await TestServer.with({ $0.stallSeconds = 1 }) { test in
            let client = try await test.client()
            try await client.write([0, 0, 1, 0, 0, 3])
            #expect(await client.isClosedByServer())
            // An idle connection is no stalled one.
            let idle = try await test.client()
            try await idle.createTopic("t")
        }
    }

    @Test func newerApiVersionsAreAnsweredWithTheTable() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.write([0, 0, 0, 12, 0, 18, 0, 77, 0, 0, 0, 5, 0x12, 0x34, 0x56, 0x78])
            var frame = try await client.receiveFrame()
            #expect(frame.readInteger(as: Int32.self) == 5)
            var reader = WireReader(frame, version: 0, isFlexible: false)
            let response = try reader.message(ApiVersionsResponse.self)
            #expect(response.error == .unsupportedVersion)
            #expect(response.rows.count == ApiTable.rows.count)
            let normal = try await client.call(.apiVersions, ApiVersionsRequest(), ApiVersionsResponse.self, version: 3)
            #expect(normal.rows.first { $0.key == 0 }?.minVersion == 0, "librdkafka switches compression off otherwise")
            #expect(normal.rows.first { $0.key == 1 }?.maxVersion == 12, "topic ids would be used otherwise")
        }
    }

    @Test func tooManyConnections() async throws {
        try await TestServer.with({ $0.maxConnections = 2 }) { test in
            let first = try await test.client()
            let second = try await test.client()
            try await first.createTopic("t")
            _ = try await second.producerId()
            let third = try await test.client()
            #expect(await third.isClosedByServer())
            await first.close()
            #expect(try await second.fetch(TestClient.fetchRequest("t", offset: 0)).error == .none)
        }
    }

    @Test func tooManyPartitions() async throws {
        try await TestServer.with({ $0.maxPartitions = 3 }) { test in
            let client = try await test.client()
            func create(_ name: String, _ count: Int32) async throws -> ErrorCode? {
                let request = CreateTopicsRequest(topics: [.init(name: name, partitionCount: count)], timeoutMs: 1000)
                return try await client.call(.createTopics, request, CreateTopicsResponse.self, version: 7)
                    .topics.first?.error
            }
            #expect(try await create("t", 4) == .invalidPartitions)
            #expect(try await create("t", 3) == ErrorCode.none)
            let more = CreatePartitionsRequest(topics: [.init(name: "t", count: 4)], timeoutMs: 1000)
            let grown = try await client.call(.createPartitions, more, CreatePartitionsResponse.self, version: 3)
            #expect(grown.topics.map(\.error) == [.invalidPartitions])
            let wanted = MetadataRequest(topics: [.init(name: "on-demand")])
            let answer = try await client.call(.metadata, wanted, MetadataResponse.self, version: 9)
            #expect(answer.topics.map(\.error) == [.unknownTopicOrPartition])
        }
    }

    @Test func tooManyGroups() async throws {
        try await TestServer.with({ $0.maxGroups = 1 }) { test in
            let client = try await test.client()
            try await client.createTopic("t")
            func commit(_ group: String) async throws -> ErrorCode? {
                let request = OffsetCommitRequest(
                    groupId: group,
                    topics: [.init(name: "t", partitions: [.init(index: 0, offset: 1, metadata: "")])]
                )
                return try await client.call(.offsetCommit, request, OffsetCommitResponse.self, version: 8)
                    .topics.first?.partitions.first?.error
            }
            func join(_ group: String) async throws -> ErrorCode {
                let request = JoinGroupRequest(
                    groupId: group,
                    sessionTimeoutMs: 10_000,
                    protocolType: "consumer",
                    protocols: [.init(name: "range")]
                )
                return try await client.call(.joinGroup, request, JoinGroupResponse.self, version: 7).error
            }
            #expect(try await commit("a") == ErrorCode.none)
            #expect(try await commit("b") == .coordinatorNotAvailable)
            #expect(try await commit("a") == ErrorCode.none)
            #expect(try await join("c") == .memberIdRequired)
            #expect(try await join("d") == .coordinatorNotAvailable)
        }
    }

    @Test func tooManyElements() async throws {
        try await TestServer.with { test in
            let names = [String](repeating: "", count: WireReader.elementLimit)
            let client = try await test.client()
            let bearable = DeleteGroupsRequest(groups: names)
            let answer = try await client.call(.deleteGroups, bearable, DeleteGroupsResponse.self, version: 0)
            #expect(answer.results.count == names.count)
            try await client.send(.deleteGroups, DeleteGroupsRequest(groups: names + [""]), version: 0)
            #expect(await client.isClosedByServer())
        }
    }

    /// A client that sends and never reads is stopped long before it costs much memory, and harms nobody.
    @Test func aClientThatNeverReads() async throws {
        try await TestServer.with({ $0.maxConnectionRequests = 16 }) { test in
            let honest = try await test.client()
            try await honest.createTopic("t")
            let value = String(repeating: "v", count: 100_000)
            for _ in 0..<20 { _ = try await honest.produce("t", 0, TestBatch.make([value])) }
            let greedy = try await test.client(reads: false)
            let request = try TestClient.frame(
                .fetch,
                TestClient.fetchRequest("t", offset: 0, maxBytes: 2_000_000),
                version: 12,
                correlationId: 1
            )
            let sending = Task {
                for _ in 0..<2000 { try await greedy.write(Array(request.readableBytesView)) }
            }
            for number in 0..<20 {
                #expect(try await honest.produce("t", 0, TestBatch.make(["\(number)"])).error == .none)
            }
            // 4 GB were asked for; what fits into the buffers of a socket was read, and little more.
            #expect(Int(test.server.broker.metrics.fetchedBytes.value) < 32 << 20)
            #expect(test.server.broker.fetchBudget.used < 16 << 20)
            sending.cancel()
            await greedy.close()
            await expectSoon { test.server.broker.fetchBudget.used == 0 }
        }
    }

    /// What a connection may have unanswered is bounded in bytes: behind a request that waits, the rest stays unread.
    @Test func unansweredBytesOfAConnection() async throws {
        let limit = 256 << 10
        try await TestServer.with({ $0.maxConnectionBytes = limit }) { test in
            let honest = try await test.client()
            try await honest.createTopic("t")
            let broker = test.server.broker
            let before = broker.metrics.bytesIn.value
            let wait = TestClient.fetchRequest("t", offset: 0, maxWaitMs: 600_000)
            let batch = TestBatch.make([String(repeating: "v", count: 50_000)])
            var greedy: [TestClient] = []
            var sending: [Task<Void, any Error>] = []
            for _ in 0..<3 {
                let client = try await test.client()
                greedy.append(client)
                sending.append(
                    Task {
                        try await client.send(.fetch, wait, version: 12)
                        let produce = TestClient.produceRequest("t", 0, batch)
                        for _ in 0..<400 { try await client.send(.produce, produce, version: 9) }
                    }
                )
            }
            await expectSoon { broker.requestBudget.used >= 3 * limit }
            // 60 MB are on their way. Each connection may pass its bound by a frame, and by one read of the socket.
            #expect(broker.requestBudget.used < 3 * (limit + (512 << 10)))
            #expect(Int(broker.metrics.bytesIn.value - before) < 3 * (limit + (1 << 20)))
            for task in sending { task.cancel() }
            for client in greedy { await client.close() }
            // The end of an unread connection is behind its data: the server gets there when the fetches are answered.
            #expect(try await honest.produce("t", 0, TestBatch.make(["wake up"])).error == .none)
            await expectSoon { broker.requestBudget.used == 0 }
        }
    }

    /// What all connections may have unanswered is bounded too: who comes last waits for its turn, and gets it.
    @Test func unansweredBytesOfAllConnections() async throws {
        let limit = 1 << 20
        try await TestServer.with({
            $0.maxRequestBytes = limit / 2
            $0.maxInFlightBytes = limit
        }) { test in
            let honest = try await test.client()
            try await honest.createTopic("t")
            let budget = test.server.broker.requestBudget
            // Frames that are announced and never sent hold their share until they stall.
            var holders: [TestClient] = []
            for _ in 0..<4 {
                let client = try await test.client()
                holders.append(client)
                try await client.write([0, 7, 0, 0, 0, 3])
            }
            await expectSoon { budget.used >= 2 * (7 << 16) }
            #expect(budget.used <= limit)
            async let answer = honest.produce("t", 0, TestBatch.make([String(repeating: "v", count: 300_000)]))
            for client in holders { await client.close() }
            #expect(try await answer.error == .none)
            await expectSoon { budget.used == 0 }
        }
    }

    /// Waits for a condition, 20 seconds at most.
    private func expectSoon(_ condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async {
        for _ in 0..<2000 where !condition() { try? await Task.sleep(for: .milliseconds(10)) }
        #expect(condition(), sourceLocation: sourceLocation)
    }

    @Test func twoServersOnOneDirectory() async throws {
        try await TestServer.with { test in
            await #expect(throws: EventLogError.self) { _ = try await TestServer.start(directory: test.directory) }
            _ = try await test.client().producerId()
        }
    }

    @Test func damageBelowTheLastSegmentIsRefused() async throws {
        let test = try await TestServer.start { $0.segmentBytes = 1024 }
        let client = try await test.client()
        try await client.createTopic("t")
        for number in 0..<30 {
            _ = try await client.produce("t", 0, TestBatch.make(["\(number)" + String(repeating: "w", count: 100)]))
        }
        try await test.server.stop()
        let files = PosixFileLayer()
        try files.remove("\(test.directory)/clean")
        try files.remove("\(test.directory)/t-0/00000000000000000000.index")
        let file = try files.open("\(test.directory)/t-0/00000000000000000000.log", create: false)
        try file.write([ByteBuffer(bytes: [1, 2, 3])], at: 100)
        await #expect(throws: EventLogError.self) { _ = try await TestServer.start(directory: test.directory) }
        let reports = try EventLogInspector(dataDirectory: test.directory).verify()
        #expect(reports.contains { !$0.problems.isEmpty })
        TestServer.remove(test.directory)
    }
}
