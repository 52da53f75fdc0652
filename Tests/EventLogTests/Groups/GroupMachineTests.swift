import NIOCore
import Testing

@testable import EventLog

/// The rules of one group, with a clock of the test's own.
@Suite struct GroupMachineTests {
    private struct Harness {
        var machine: GroupMachine
        var now: Int64 = 0
        var ticket: GroupMachine.Ticket = 0
        var joins: [GroupMachine.Ticket: JoinGroupResponse] = [:]
        var syncs: [GroupMachine.Ticket: SyncGroupResponse] = [:]
        var persisted: [Int32] = []

        init(generation: Int32 = 0, _ change: (inout EventLogConfiguration) -> Void = { _ in }) {
            var limits = EventLogConfiguration(dataDirectory: "")
            change(&limits)
            machine = GroupMachine(groupId: "g", generation: generation, limits: limits, now: 0)
        }

        mutating func note() {
            for action in machine.takeActions() {
                switch action {
                case .answerJoin(let ticket, let response):
                    #expect(joins[ticket] == nil, "answered twice")
                    joins[ticket] = response
                case .answerSync(let ticket, let response):
                    #expect(syncs[ticket] == nil, "answered twice")
                    syncs[ticket] = response
                case .persistGeneration(let generation):
                    #expect(generation > persisted.last ?? -1)
                    persisted.append(generation)
                }
            }
        }

        @discardableResult
        mutating func join(
            _ memberId: String = "",
            instance: String? = nil,
            protocols: [(String, String)] = [("range", "m")],
            session: Int32 = 10_000,
            known: Bool = false,
            newId: String? = nil
        ) -> GroupMachine.Ticket {
            ticket += 1
            let request = JoinGroupRequest(
                groupId: "g",
                sessionTimeoutMs: session,
                rebalanceTimeoutMs: 20_000,
                memberId: memberId,
                groupInstanceId: instance,
                protocolType: "consumer",
                protocols: protocols.map { .init(name: $0.0, metadata: ByteBuffer(string: $0.1)) }
            )
            let client = GroupMachine.Client(
                clientId: "c",
                host: "/127.0.0.1",
                mustKnowMemberId: known,
                newMemberId: newId ?? "member-\(ticket)"
            )
            machine.join(request, client: client, ticket: ticket, now: now)
            note()
            return ticket
        }

        @discardableResult
        mutating func sync(_ memberId: String, generation: Int32, assign: [String: String] = [:]) -> GroupMachine.Ticket
        {
            ticket += 1
            let request = SyncGroupRequest(
                groupId: "g",
                generation: generation,
                memberId: memberId,
                assignments: assign.map { .init(memberId: $0.key, assignment: ByteBuffer(string: $0.value)) }
            )
            machine.sync(request, ticket: ticket, now: now)
            note()
            return ticket
        }

        mutating func heartbeat(_ memberId: String, _ generation: Int32, instance: String? = nil) -> ErrorCode {
            machine.heartbeat(
                HeartbeatRequest(groupId: "g", generation: generation, memberId: memberId, groupInstanceId: instance),
                now: now
            )
        }

        mutating func leave(_ memberId: String) -> ErrorCode {
            let error = machine.leave(.init(memberId: memberId), now: now)
            note()
            return error
        }

        mutating func advance(_ milliseconds: Int64) {
            now += milliseconds
            machine.expire(now: now)
            note()
        }

        /// Two members in a stable group of generation 2: the leader "a" and "b".
        static func pair(_ change: (inout EventLogConfiguration) -> Void = { _ in }) -> Harness {
            var group = Harness(change)
            group.join(newId: "a")
            group.join(newId: "b")
            group.join("a")
            group.sync("a", generation: 2, assign: ["a": "for a", "b": "for b"])
            group.sync("b", generation: 2)
            #expect(group.machine.phase == .stable)
            return group
        }
    }

    @Test func aSingleMember() {
        var group = Harness()
        let join = group.join(newId: "a")
        #expect(group.joins[join]?.error == ErrorCode.none)
        #expect(group.joins[join]?.generation == 1)
        #expect(group.joins[join]?.leader == "a")
        #expect(group.joins[join]?.members.map(\.memberId) == ["a"])
        #expect(group.persisted == [1])
        let sync = group.sync("a", generation: 1, assign: ["a": "all"])
        #expect(group.syncs[sync]?.assignment == ByteBuffer(string: "all"))
        #expect(group.machine.phase == .stable)
        #expect(group.leave("a") == .none)
        #expect(group.machine.phase == .empty)
        #expect(group.heartbeat("a", 1) == .unknownMemberId)
    }

    @Test func generationsGoOnWhereTheyWere() {
        var group = Harness(generation: 41)
        let join = group.join()
        #expect(group.joins[join]?.generation == 42)
    }

    @Test func aMemberIdIsGivenOutFirst() {
        var group = Harness()
        let first = group.join(known: true, newId: "a")
        #expect(group.joins[first]?.error == .memberIdRequired)
        #expect(group.joins[first]?.memberId == "a")
        #expect(group.machine.members.isEmpty)
        let second = group.join("a", known: true)
        #expect(group.joins[second]?.error == ErrorCode.none)
        // An id that is never used lapses and holds nobody up.
        let third = group.join(known: true, newId: "b")
        #expect(group.joins[third]?.error == .memberIdRequired)
        group.advance(10_001)
        #expect(group.machine.pendingMembers.isEmpty)
        let late = group.join("b", known: true)
        #expect(group.joins[late]?.error == .unknownMemberId)
    }

    @Test func aSecondMemberRebalances() {
        var group = Harness()
        group.join(newId: "a")
        group.sync("a", generation: 1, assign: ["a": "x"])
        let second = group.join(newId: "b")
        #expect(group.joins[second] == nil)
        #expect(group.heartbeat("a", 1) == .rebalanceInProgress)
        let rejoin = group.join("a")
        #expect(group.joins[rejoin]?.generation == 2)
        #expect(group.joins[second]?.generation == 2)
        #expect(group.joins[rejoin]?.members.count == 2)
        #expect(group.joins[second]?.members.isEmpty == true)
        let waiting = group.sync("b", generation: 2)
        #expect(group.syncs[waiting] == nil)
        group.sync("a", generation: 2, assign: ["a": "1", "b": "2"])
        #expect(group.syncs[waiting]?.assignment == ByteBuffer(string: "2"))
    }

    @Test func aMissingMemberIsGivenUp() {
        var group = Harness.pair()
        let third = group.join(newId: "c")
        let rejoin = group.join("a")
        // "b" does not come back: at the latest its session ends.
        group.advance(10_001)
        #expect(group.joins[rejoin]?.error == ErrorCode.none)
        #expect(group.joins[third]?.generation == group.joins[rejoin]?.generation)
        #expect(group.machine.members.map(\.id).sorted() == ["a", "c"])
    }

    @Test func silenceEndsAMembership() {
        var group = Harness.pair()
        group.advance(6000)
        #expect(group.heartbeat("a", 2) == .none)
        group.advance(4001)
        #expect(group.machine.position("b") == nil)
        #expect(group.machine.phase == .preparing)
        #expect(group.heartbeat("b", 2) == .unknownMemberId)
        let rejoin = group.join("a")
        #expect(group.joins[rejoin]?.generation == 3)
    }

    @Test func rejoiningUnchanged() {
        var group = Harness.pair()
        let follower = group.join("b")
        #expect(group.joins[follower]?.generation == 2)
        #expect(group.machine.phase == .stable)
        group.join("a")
        #expect(group.machine.phase == .preparing, "a leader that joins again asks for a rebalance")
    }

    @Test func changedMetadataRebalances() {
        var group = Harness.pair()
        group.join("b", protocols: [("range", "other")])
        #expect(group.machine.phase == .preparing)
    }

    @Test func aWaitingSyncIsToldOfTheRebalance() {
        var group = Harness()
        group.join(newId: "a")
        group.join(newId: "b")
        group.join("a")
        let waiting = group.sync("b", generation: 2)
        #expect(group.leave("a") == .none)
        #expect(group.syncs[waiting]?.error == .rebalanceInProgress)
    }

    @Test func aLeaderThatNeverAssigns() {
        var group = Harness()
        group.join(newId: "a")
        group.join(newId: "b")
        group.join("a")
        group.sync("b", generation: 2)
        // Its session ends first; then the rest can begin anew.
        group.advance(10_001)
        #expect(group.machine.position("a") == nil)
        let rejoin = group.join("b")
        #expect(group.joins[rejoin]?.leader == "b")
    }

    @Test func protocolsAreVotedFor() {
        var group = Harness()
        group.join(protocols: [("range", "1"), ("sticky", "2")], newId: "a")
        let second = group.join(protocols: [("sticky", "3"), ("range", "4")], newId: "b")
        let third = group.join(protocols: [("sticky", "5")], newId: "c")
        let first = group.join("a", protocols: [("range", "1"), ("sticky", "2")])
        #expect(group.joins[first]?.protocolName == "sticky")
        #expect(group.joins[second]?.protocolName == "sticky")
        #expect(group.joins[third]?.error == ErrorCode.none)
        let stranger = group.join(protocols: [("mine", "x")], newId: "d")
        #expect(group.joins[stranger]?.error == .inconsistentGroupProtocol)
    }

    @Test func staticMembersKeepTheirPlace() {
        var group = Harness()
        let first = group.join(instance: "i", known: true, newId: "i-1")
        #expect(group.joins[first]?.error == ErrorCode.none, "static members need no second round")
        group.sync("i-1", generation: 1, assign: ["i-1": "mine"])
        let again = group.join(instance: "i", newId: "i-2")
        #expect(group.joins[again]?.generation == 1)
        #expect(group.joins[again]?.memberId == "i-2")
        #expect(group.joins[again]?.leader == "i-1", "the newcomer must not assign anew")
        #expect(group.heartbeat("i-1", 1, instance: "i") == .fencedInstanceId)
        let sync = group.sync("i-2", generation: 1)
        #expect(group.syncs[sync]?.assignment == ByteBuffer(string: "mine"))
    }

    @Test func limits() {
        var group = Harness { $0.maxGroupMembers = 1 }
        #expect(group.joins[group.join(session: 5999)]?.error == .invalidSessionTimeout)
        #expect(group.joins[group.join(session: 1_800_001)]?.error == .invalidSessionTimeout)
        group.join(newId: "a")
        #expect(group.joins[group.join()]?.error == .groupMaxSizeReached)
        var small = Harness { $0.maxMemberBytes = 100 }
        #expect(
            small.joins[small.join(protocols: [("range", String(repeating: "x", count: 200))])]?.error
                == .invalidRequest
        )
        #expect(group.joins[group.join("nobody")]?.error == .unknownMemberId)
    }

    @Test func committing() {
        var group = Harness.pair()
        func commit(_ member: String, _ generation: Int32) -> ErrorCode {
            group.machine.allowCommit(
                OffsetCommitRequest(groupId: "g", generation: generation, memberId: member),
                now: group.now
            )
        }
        #expect(commit("a", 2) == .none)
        #expect(commit("a", 1) == .illegalGeneration)
        #expect(commit("x", 2) == .unknownMemberId)
        #expect(commit("", -1) == .unknownMemberId)
        _ = group.leave("b")
        _ = group.leave("a")
        #expect(commit("", -1) == .none)
    }

    /// Random inputs: nothing is answered twice, nobody waits for ever, generations only rise.
    @Test(arguments: 0..<40) func randomInputs(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var group = Harness { $0.initialRebalanceDelayMs = seed % 3 == 0 ? 100 : 0 }
        for _ in 0..<400 {
            let known = group.machine.members.map(\.id) + Array(group.machine.pendingMembers.keys).sorted() + ["ghost"]
            let member = known.randomElement(using: &random) ?? "ghost"
            let generation = group.machine.generation - (Int.random(in: 0..<8, using: &random) == 0 ? 1 : 0)
            let instance =
                Int.random(in: 0..<6, using: &random) == 0 ? "i\(Int.random(in: 0..<2, using: &random))" : nil
            switch Int.random(in: 0..<8, using: &random) {
            case 0: group.join(instance: instance, known: Bool.random(using: &random))
            case 1, 2: group.join(member, protocols: [("range", "\(Int.random(in: 0..<2, using: &random))")])
            case 3, 4:
                let all = Dictionary(uniqueKeysWithValues: group.machine.members.map { ($0.id, "x") })
                group.sync(member, generation: generation, assign: all)
            case 5: _ = group.heartbeat(member, generation)
            case 6: _ = group.leave(member)
            default: group.advance(Int64.random(in: 0..<4000, using: &random))
            }
            #expect(Set(group.machine.members.map(\.id)).count == group.machine.members.count)
            if group.machine.phase == .empty { #expect(group.machine.members.isEmpty) }
        }
        // With time everything that waits is answered.
        for _ in 0..<100 { group.advance(5000) }
        #expect(group.machine.members.allSatisfy { $0.joinTicket == nil && $0.syncTicket == nil })
        #expect(group.machine.phase == .empty)
    }
}
