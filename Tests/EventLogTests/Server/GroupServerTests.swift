import NIOCore
import Testing

@testable import EventLog

@Suite struct GroupServerTests {
    private func join(
        _ client: TestClient,
        _ memberId: String = "",
        sessionTimeoutMs: Int32 = 6000
    ) async throws -> JoinGroupResponse {
        let request = JoinGroupRequest(
            groupId: "g",
            sessionTimeoutMs: sessionTimeoutMs,
            rebalanceTimeoutMs: 10_000,
            memberId: memberId,
            protocolType: "consumer",
            protocols: [.init(name: "range", metadata: ByteBuffer(string: "topics"))]
        )
        let response = try await client.call(.joinGroup, request, JoinGroupResponse.self, version: 7)
        guard response.error == .memberIdRequired else { return response }
        return try await join(client, response.memberId, sessionTimeoutMs: sessionTimeoutMs)
    }

    @Test func aGroupFromJoinToDeletion() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t", partitions: 2)
            let find = try await client.call(
                .findCoordinator,
                FindCoordinatorRequest(keys: ["g", "h"]),
                FindCoordinatorResponse.self,
                version: 4
            )
            #expect(find.coordinators.map(\.port) == [Int32(test.server.port), Int32(test.server.port)])
            // No heartbeat is sent, so the session must outlast the test on the slowest machine.
            let joined = try await join(client, sessionTimeoutMs: 120_000)
            #expect(joined.error == .none)
            let sync = try await client.call(
                .syncGroup,
                SyncGroupRequest(
                    groupId: "g",
                    generation: joined.generation,
                    memberId: joined.memberId,
                    protocolType: "consumer",
                    protocolName: "range",
                    assignments: [.init(memberId: joined.memberId, assignment: ByteBuffer(string: "0,1"))]
                ),
                SyncGroupResponse.self,
                version: 5
            )
            #expect(sync.assignment == ByteBuffer(string: "0,1"))
            let commit = try await client.call(
                .offsetCommit,
                OffsetCommitRequest(
                    groupId: "g",
                    generation: joined.generation,
                    memberId: joined.memberId,
                    topics: [
                        .init(
                            name: "t",
                            partitions: [
                                .init(index: 1, offset: 17, metadata: "note"),
                                .init(index: 0, offset: 3, metadata: String(repeating: "m", count: 5000)),
                                .init(index: 9, offset: 1),
                            ]
                        )
                    ]
                ),
                OffsetCommitResponse.self,
                version: 8
            )
            #expect(
                commit.topics[0].partitions.map(\.error) == [.none, .offsetMetadataTooLarge, .unknownTopicOrPartition]
            )
            let fetched = try await client.call(
                .offsetFetch,
                OffsetFetchRequest(groups: [
                    .init(groupId: "g"), .init(groupId: "none", topics: [.init(name: "t", partitions: [0])]),
                ]),
                OffsetFetchResponse.self,
                version: 8
            )
            #expect(fetched.groups[0].topics[0].partitions[0].offset == 17)
            #expect(fetched.groups[0].topics[0].partitions[0].metadata == "note")
            #expect(fetched.groups[1].topics[0].partitions[0].offset == -1)
            let described = try await client.call(
                .describeGroups,
                DescribeGroupsRequest(groups: ["g", "none"]),
                DescribeGroupsResponse.self,
                version: 5
            )
            #expect(described.groups.map(\.state) == ["Stable", "Dead"])
            #expect(described.groups[0].members[0].assignment == ByteBuffer(string: "0,1"))
            let refused = try await client.call(
                .deleteGroups,
                DeleteGroupsRequest(groups: ["g", "none"]),
                DeleteGroupsResponse.self,
                version: 2
            )
            #expect(refused.results.map(\.error) == [.nonEmptyGroup, .groupIdNotFound])
            let left = try await client.call(
                .leaveGroup,
                LeaveGroupRequest(groupId: "g", members: [.init(memberId: joined.memberId)]),
                LeaveGroupResponse.self,
                version: 4
            )
            #expect(left.members.map(\.error) == [.none])
            let listed = try await client.call(
                .listGroups,
                ListGroupsRequest(statesFilter: ["Empty"]),
                ListGroupsResponse.self,
                version: 4
            )
            #expect(listed.groups.map(\.groupId) == ["g"])
            let deleted = try await client.call(
                .deleteGroups,
                DeleteGroupsRequest(groups: ["g"]),
                DeleteGroupsResponse.self,
                version: 2
            )
            #expect(deleted.results.map(\.error) == [.none])
        }
    }

    /// Older versions of these requests name one coordinator, one group, one member or bare topic names.
    @Test func olderVersionsAskForOneThing() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            for version in Int16(0)...3 {
                let request = FindCoordinatorRequest(key: "g")
                let found = try await client.call(
                    .findCoordinator,
                    request,
                    FindCoordinatorResponse.self,
                    version: version
                )
                #expect(found.only.error == .none && found.only.port == Int32(test.server.port))
            }
            let commit = OffsetCommitRequest(
                groupId: "g",
                topics: [.init(name: "t", partitions: [.init(index: 0, offset: 7)])]
            )
            for version in Int16(0)...8 {
                let done = try await client.call(.offsetCommit, commit, OffsetCommitResponse.self, version: version)
                #expect(done.topics[0].partitions[0].error == .none)
            }
            for version in Int16(0)...7 {
                let request = OffsetFetchRequest(
                    only: .init(groupId: "g", topics: [.init(name: "t", partitions: [0, 1])])
                )
                let found = try await client.call(.offsetFetch, request, OffsetFetchResponse.self, version: version)
                #expect(found.only.topics[0].partitions.map(\.offset) == [7, -1])
            }
            for version in Int16(0)...2 {
                let joined = try await join(client)
                let request = LeaveGroupRequest(groupId: "g", memberId: joined.memberId)
                let left = try await client.call(.leaveGroup, request, LeaveGroupResponse.self, version: version)
                #expect(left.error == .none)
                let again = try await client.call(.leaveGroup, request, LeaveGroupResponse.self, version: version)
                #expect(again.error == .unknownMemberId)
            }
            for version in Int16(0)...5 {
                try await client.createTopic("d\(version)")
                let request = DeleteTopicsRequest(names: ["d\(version)", "none"], timeoutMs: 1000)
                let deleted = try await client.call(.deleteTopics, request, DeleteTopicsResponse.self, version: version)
                #expect(deleted.topics.map(\.error) == [.none, .unknownTopicOrPartition])
            }
        }
    }

    @Test func offsetsAndGenerationsSurvive() async throws {
        let first = try await TestServer.start()
        let client = try await first.client()
        try await client.createTopic("t")
        let joined = try await join(client)
        let commit = OffsetCommitRequest(
            groupId: "g",
            generation: joined.generation,
            memberId: joined.memberId,
            topics: [.init(name: "t", partitions: [.init(index: 0, offset: 5)])]
        )
        // Not in the middle of a rebalance.
        #expect(
            try await client.call(.offsetCommit, commit, OffsetCommitResponse.self, version: 7).topics[0].partitions[0]
                .error
                == .rebalanceInProgress
        )
        _ = try await client.call(
            .syncGroup,
            SyncGroupRequest(groupId: "g", generation: joined.generation, memberId: joined.memberId),
            SyncGroupResponse.self,
            version: 3
        )
        #expect(
            try await client.call(.offsetCommit, commit, OffsetCommitResponse.self, version: 7).topics[0].partitions[0]
                .error
                == .none
        )
        try await first.server.stop()

        let second = try await TestServer.start(directory: first.directory)
        let again = try await second.client()
        // The old membership is gone, the offset is not.
        #expect(
            try await again.call(.offsetCommit, commit, OffsetCommitResponse.self, version: 7).topics[0].partitions[0]
                .error
                == .unknownMemberId
        )
        let offsets = try await again.call(
            .offsetFetch,
            OffsetFetchRequest(only: .init(groupId: "g")),
            OffsetFetchResponse.self,
            version: 7
        )
        #expect(offsets.only.topics[0].partitions[0].offset == 5)
        #expect(try await join(again).generation > joined.generation)
        try await second.stop()
    }

    @Test func commitsWithoutAGroup() async throws {
        try await TestServer.with { test in
            let client = try await test.client()
            try await client.createTopic("t")
            let commit = OffsetCommitRequest(
                groupId: "plain",
                topics: [.init(name: "t", partitions: [.init(index: 0, offset: 9, metadata: nil)])]
            )
            for version in Int16(0)...8 {
                let answer = try await client.call(.offsetCommit, commit, OffsetCommitResponse.self, version: version)
                #expect(answer.topics[0].partitions[0].error == .none)
            }
            var withGeneration = commit
            withGeneration.groupId = "new"
            withGeneration.generation = 3
            let answer = try await client.call(.offsetCommit, withGeneration, OffsetCommitResponse.self, version: 8)
            #expect(answer.topics[0].partitions[0].error == .illegalGeneration)
        }
    }
}
