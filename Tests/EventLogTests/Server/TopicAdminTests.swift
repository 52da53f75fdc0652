import NIOCore
import Testing

@testable import EventLog

@Suite struct TopicAdminTests {
    private func create(
        _ client: TestClient,
        _ topic: CreateTopicsRequest.Topic,
        validateOnly: Bool = false
    ) async throws -> CreateTopicsResponse.Topic {
        let response = try await client.call(
            .createTopics,
            CreateTopicsRequest(topics: [topic], timeoutMs: 100, validateOnly: validateOnly),
            CreateTopicsResponse.self,
            version: 7
        )
        return try #require(response.topics.first)
    }

    @Test func creating() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            #expect(try await create(client, .init(name: "t", partitionCount: 3, replicationFactor: 1)).error == .none)
            #expect(
                try await create(client, .init(name: "t", partitionCount: 3, replicationFactor: 1)).error
                    == .topicAlreadyExists
            )
            #expect(try await create(client, .init(name: "default")).partitionCount == 1)
            #expect(
                try await create(client, .init(name: "..", partitionCount: 1, replicationFactor: 1)).error
                    == .invalidTopic
            )
            #expect(
                try await create(client, .init(name: "a b", partitionCount: 1, replicationFactor: 1)).error
                    == .invalidTopic
            )
            #expect(
                try await create(client, .init(name: String(repeating: "n", count: 250), partitionCount: 1)).error
                    == .invalidTopic
            )
            #expect(
                try await create(client, .init(name: "n", partitionCount: 0, replicationFactor: 1)).error
                    == .invalidPartitions
            )
            #expect(
                try await create(client, .init(name: "n", partitionCount: .max, replicationFactor: 1)).error
                    == .invalidPartitions
            )
            #expect(
                try await create(client, .init(name: "n", partitionCount: 1, replicationFactor: 3)).error
                    == .invalidReplicationFactor
            )
            let assigned = CreateTopicsRequest.Topic(
                name: "m",
                assignments: [.init(partition: 0, brokers: [1]), .init(partition: 1, brokers: [1])]
            )
            #expect(try await create(client, assigned).partitionCount == 2)
            let wrong = CreateTopicsRequest.Topic(name: "w", assignments: [.init(partition: 0, brokers: [2])])
            #expect(try await create(client, wrong).error == .invalidReplicaAssignment)
            let compacted = CreateTopicsRequest.Topic(
                name: "c",
                partitionCount: 1,
                configs: [.init(name: "cleanup.policy", value: "compact")]
            )
            #expect(try await create(client, compacted).error == .invalidConfig)
            #expect(try await create(client, .init(name: "v", partitionCount: 1), validateOnly: true).error == .none)
            let metadata = try await client.call(
                .metadata,
                MetadataRequest(topics: nil),
                MetadataResponse.self,
                version: 11
            )
            #expect(metadata.topics.map(\.name) == ["default", "m", "t"])
            #expect(metadata.topics.map(\.partitions.count) == [1, 2, 3])
            #expect(metadata.controllerId == 1)
            let byId = try await client.call(
                .metadata,
                MetadataRequest(topics: [.init(id: metadata.topics[0].id, name: nil)]),
                MetadataResponse.self,
                version: 10
            )
            #expect(byId.topics.map(\.name) == ["default"])
        }
    }

    @Test func onDemand() async throws {
        try await TestServer.with({ $0.defaultPartitions = 4 }) { test in
            let client = try await test.client()
            func ask(_ names: [String], allow: Bool) async throws -> [MetadataResponse.Topic] {
                let request = MetadataRequest(topics: names.map { .init(name: $0) }, allowAutoTopicCreation: allow)
                return try await client.call(.metadata, request, MetadataResponse.self, version: 9).topics
            }
            #expect(try await ask(["x"], allow: false).map(\.error) == [.unknownTopicOrPartition])
            let made = try await ask(["x", "bad name"], allow: true)
            #expect(made.map(\.error) == [.none, .invalidTopic])
            #expect(made[0].partitions.count == 4)
        }
    }

    @Test func partitionsAreAdded() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            func grow(_ count: Int32, name: String = "t") async throws -> ErrorCode {
                let response = try await client.call(
                    .createPartitions,
                    CreatePartitionsRequest(topics: [.init(name: name, count: count)], timeoutMs: 100),
                    CreatePartitionsResponse.self,
                    version: 3
                )
                return try #require(response.topics.first?.error)
            }
            #expect(try await grow(3) == .none)
            #expect(try await grow(3) == .invalidPartitions)
            #expect(try await grow(2, name: "none") == .unknownTopicOrPartition)
            #expect(try await client.produce("t", 2, TestBatch.make(["a"])).error == .none)
        }
    }

    @Test func deletingAndCreatingAgain() async throws {
        let test = try await TestServer.start()
        let client = try await test.client()
        try await client.createTopic("t")
        _ = try await client.produce("t", 0, TestBatch.make(["old"]))
        let deleted = try await client.call(
            .deleteTopics,
            DeleteTopicsRequest(topics: [.init(name: "t"), .init(name: "none")], timeoutMs: 100),
            DeleteTopicsResponse.self,
            version: 6
        )
        #expect(deleted.topics.map(\.error) == [.none, .unknownTopicOrPartition])
        #expect(try await client.produce("t", 0, TestBatch.make(["x"])).error == .unknownTopicOrPartition)
        try await client.createTopic("t")
        #expect(try await client.produce("t", 0, TestBatch.make(["new"])).baseOffset == 0)
        try await test.server.stop()
        let second = try await TestServer.start(directory: test.directory)
        let records = try await second.client().fetch(TestClient.fetchRequest("t", offset: 0)).records ?? ByteBuffer()
        #expect(TestBatch.values(records) == [0: "new"])
        try await second.stop()
    }

    @Test func recordsAreDeleted() async throws {
        let test = try await TestServer.start { $0.segmentBytes = 1024 }
        let client = try await test.client()
        try await client.createTopic("t")
        for number in 0..<30 {
            _ = try await client.produce("t", 0, TestBatch.make(["\(number)" + String(repeating: "w", count: 100)]))
        }
        func trim(_ offset: Int64) async throws -> DeleteRecordsResponse.Partition {
            let request = DeleteRecordsRequest(
                topics: [.init(name: "t", partitions: [.init(index: 0, offset: offset)])],
                timeoutMs: 100
            )
            let response = try await client.call(.deleteRecords, request, DeleteRecordsResponse.self, version: 2)
            return try #require(response.topics.first?.partitions.first)
        }
        #expect(try await trim(17).lowWatermark == 17)
        #expect(try await trim(31).error == .offsetOutOfRange)
        #expect(try await client.fetch(TestClient.fetchRequest("t", offset: 16)).error == .offsetOutOfRange)
        #expect(try await client.fetch(TestClient.fetchRequest("t", offset: 17)).logStartOffset == 17)
        try await test.server.stop()
        let second = try await TestServer.start(directory: test.directory)
        let again = try await second.client()
        #expect(try await again.fetch(TestClient.fetchRequest("t", offset: 17)).logStartOffset == 17)
        let all = DeleteRecordsRequest(
            topics: [.init(name: "t", partitions: [.init(index: 0, offset: -1)])],
            timeoutMs: 100
        )
        #expect(
            try await again.call(.deleteRecords, all, DeleteRecordsResponse.self, version: 1).topics[0].partitions[0]
                .lowWatermark == 30
        )
        #expect(try await again.produce("t", 0, TestBatch.make(["next"])).baseOffset == 30)
        try await second.stop()
    }

    @Test func retentionBySize() async throws {
        try await TestServer.with({
            $0.segmentBytes = 1024
            $0.retentionBytes = 3000
            $0.retentionCheckMs = 20
        }) { test in
            let client = try await test.client()
            try await client.createTopic("t")
            for number in 0..<60 {
                _ = try await client.produce("t", 0, TestBatch.make(["\(number)" + String(repeating: "w", count: 100)]))
            }
            let deadline = ContinuousClock.now + .seconds(20)
            var start: Int64 = 0
            while start == 0, ContinuousClock.now < deadline {
                start = try await client.fetch(TestClient.fetchRequest("t", offset: 60, maxWaitMs: 10)).logStartOffset
            }
            #expect(start > 0)
            #expect(start < 45)
        }
    }

    @Test func settingsAndCluster() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t", configs: ["retention.ms": "1234"])
            let request = DescribeConfigsRequest(
                resources: [
                    .init(type: 2, name: "t"), .init(type: 2, name: "t", keys: ["retention.ms"]),
                    .init(type: 4, name: "1"),
                    .init(type: 2, name: "none"), .init(type: 4, name: "2"),
                ],
                includeSynonyms: true
            )
            for version in Int16(0)...4 {
                let response = try await client.call(
                    .describeConfigs,
                    request,
                    DescribeConfigsResponse.self,
                    version: version
                )
                #expect(
                    response.results.map(\.error) == [.none, .none, .none, .unknownTopicOrPartition, .invalidRequest]
                )
                #expect(response.results[0].configs.count == TopicSettings.definitions.count)
                #expect(response.results[1].configs.map(\.value) == ["1234"])
                #expect(response.results[2].configs.contains { $0.name == "num.partitions" })
            }
            func describe(_ request: DescribeClusterRequest, version: Int16) async throws -> DescribeClusterResponse {
                try await client.call(.describeCluster, request, DescribeClusterResponse.self, version: version)
            }
            for version in Int16(0)...1 {
                let cluster = try await describe(DescribeClusterRequest(), version: version)
                #expect(cluster.clusterId.utf8.count == 22)
                #expect(cluster.brokers.map(\.port) == [Int32(test.server.port)])
            }
            let controllers = try await describe(DescribeClusterRequest(endpointType: 2), version: 1)
            #expect(controllers.error == .unsupportedEndpointType && controllers.brokers.isEmpty)
        }
    }

    @Test func leaderEpochsTellWhereTheyEnded() async throws {
        let test = try await TestServer.start()
        let client = try await test.client()
        try await client.createTopic("t")
        for number in 0..<3 { _ = try await client.produce("t", 0, TestBatch.make(["\(number)"])) }
        try await test.server.stop()
        // As after a crash.
        try PosixFileLayer().remove("\(test.directory)/clean")
        let second = try await TestServer.start(directory: test.directory)
        let again = try await second.client()
        _ = try await again.produce("t", 0, TestBatch.make(["3"]))
        func end(_ epoch: Int32, current: Int32 = -1) async throws -> OffsetForLeaderEpochResponse.Partition {
            let request = OffsetForLeaderEpochRequest(topics: [
                .init(name: "t", partitions: [.init(index: 0, currentLeaderEpoch: current, leaderEpoch: epoch)])
            ])
            let response = try await again.call(
                .offsetForLeaderEpoch,
                request,
                OffsetForLeaderEpochResponse.self,
                version: 4
            )
            return try #require(response.topics.first?.partitions.first)
        }
        #expect(try await end(0).endOffset == 3)
        #expect(try await end(1).endOffset == 4)
        #expect(try await end(1, current: 0).error == .fencedLeaderEpoch)
        #expect(try await end(1, current: 5).error == .unknownLeaderEpoch)

        // A reader that says which epoch it read last is told where its log and this one part (KIP-595).
        func fetch(_ offset: Int64, after epoch: Int32) async throws -> FetchResponse.Partition {
            var request = TestClient.fetchRequest("t", offset: offset, maxWaitMs: 20_000)
            request.topics[0].partitions[0].lastFetchedEpoch = epoch
            return try await again.fetch(request)
        }
        #expect(try await TestBatch.values(fetch(3, after: 0).records ?? ByteBuffer()) == [3: "3"])
        let behind = try await fetch(4, after: 0)
        #expect(behind.divergingEpoch == .init(epoch: 0, endOffset: 3) && behind.records?.readableBytes == 0)
        #expect(try await fetch(4, after: 9).divergingEpoch == .init(epoch: 1, endOffset: 4))
        try await second.stop()
    }
}
