import NIOCore
import Synchronization

/// All consumer groups: feeds requests and time to the group machines and carries out their actions.
///
/// Thread-safe: every machine is behind one lock, which is never held while an answer is delivered or a file written.
final class GroupCoordinator: Sendable {
    private struct Slot {
        var machine: GroupMachine
        var deadline: Int64?
    }

    private enum Reply {
        case join(@Sendable (JoinGroupResponse) -> Void)
        case sync(@Sendable (SyncGroupResponse) -> Void)
    }

    private struct State {
        var groups: [String: Slot] = [:]
        var replies: [GroupMachine.Ticket: Reply] = [:]
        var nextTicket: GroupMachine.Ticket = 1
        /// No group has anything to do before.
        var earliest = Int64.max
    }

    static let maxGroupIdLength = 1024
    static let maxMetadataLength = 4096

    let offsets: OffsetStore
    private let configuration: EventLogConfiguration
    private let startedAt: Int64
    /// A clock that only goes forward, milliseconds.
    private let now: @Sendable () -> Int64
    private let wallTime: @Sendable () -> Int64
    private let newId: @Sendable () -> String
    private let state = Mutex(State())

    init(
        offsets: OffsetStore,
        configuration: EventLogConfiguration,
        now: @escaping @Sendable () -> Int64,
        wallTime: @escaping @Sendable () -> Int64,
        newId: @escaping @Sendable () -> String
    ) {
        self.offsets = offsets
        self.configuration = configuration
        self.now = now
        self.wallTime = wallTime
        self.newId = newId
        startedAt = now()
    }

    // MARK: Membership

    func join(
        _ request: JoinGroupRequest,
        version: Int16,
        clientId: String,
        host: String,
        reply: @escaping @Sendable (JoinGroupResponse) -> Void
    ) {
        guard Self.isValid(request.groupId) else {
            return reply(JoinGroupResponse(error: .invalidGroupId, memberId: request.memberId))
        }
        var request = request
        for place in request.protocols.indices {
            // Kept for long: the bytes must not keep the whole request frame in memory.
            request.protocols[place].metadata = ByteBuffer(buffer: request.protocols[place].metadata)
        }
        let prefix = request.groupInstanceId ?? (clientId.isEmpty ? "member" : clientId)
        let client = GroupMachine.Client(
            clientId: clientId,
            host: host,
            mustKnowMemberId: version >= 4,
            newMemberId: "\(prefix.prefix(200))-\(newId())"
        )
        let now = now()
        let work = state.withLock { state -> [Delivery]? in
            if state.groups[request.groupId] == nil {
                guard request.memberId.isEmpty, makeRoom(&state) else { return nil }
                state.groups[request.groupId] = Slot(machine: newMachine(request.groupId, now: now))
            }
            let ticket = take(.join(reply), &state)
            return update(request.groupId, &state) { machine in
                machine.join(request, client: client, ticket: ticket, now: now)
            }
        }
        guard let work else {
            let error: ErrorCode = request.memberId.isEmpty ? .coordinatorNotAvailable : .unknownMemberId
            return reply(JoinGroupResponse(error: error, memberId: request.memberId))
        }
        deliver(work)
    }

    func sync(_ request: SyncGroupRequest, reply: @escaping @Sendable (SyncGroupResponse) -> Void) {
        var request = request
        for place in request.assignments.indices {
            request.assignments[place].assignment = ByteBuffer(buffer: request.assignments[place].assignment)
        }
        let now = now()
        let work = state.withLock { state -> [Delivery]? in
            guard state.groups[request.groupId] != nil else { return nil }
            let ticket = take(.sync(reply), &state)
            return update(request.groupId, &state) { $0.sync(request, ticket: ticket, now: now) }
        }
        guard let work else { return reply(SyncGroupResponse(error: .unknownMemberId)) }
        deliver(work)
    }

    func heartbeat(_ request: HeartbeatRequest) -> ErrorCode {
        let now = now()
        return state.withLock { state in
            state.groups[request.groupId]?.machine.heartbeat(request, now: now) ?? .unknownMemberId
        }
    }

    func leave(_ request: LeaveGroupRequest) -> LeaveGroupResponse {
        let now = now()
        var response = LeaveGroupResponse()
        let work = state.withLock { state -> [Delivery] in
            guard state.groups[request.groupId] != nil else {
                response.members = request.members.map {
                    .init(memberId: $0.memberId, groupInstanceId: $0.groupInstanceId, error: .unknownMemberId)
                }
                return []
            }
            return update(request.groupId, &state) { machine in
                for member in request.members {
                    let error = machine.leave(member, now: now)
                    response.members.append(
                        .init(memberId: member.memberId, groupInstanceId: member.groupInstanceId, error: error)
                    )
                }
            }
        }
        deliver(work)
        return response
    }

    // MARK: Offsets

    /// Commits offsets; answers when they are durable. `exists` tells which partitions there are.
    func commit(
        _ request: OffsetCommitRequest,
        exists: (String, Int32) -> Bool,
        reply: @escaping @Sendable (OffsetCommitResponse) -> Void
    ) {
        let now = now()
        var verdict: ErrorCode = Self.isValid(request.groupId) ? .none : .invalidGroupId
        if verdict == .none {
            verdict = state.withLock { state in
                if state.groups[request.groupId] == nil {
                    if request.generation < 0 {
                        let isKnown = offsets.hasOffsets(group: request.groupId)
                        return isKnown || offsets.groupCount < configuration.maxGroups
                            ? .none : .coordinatorNotAvailable
                    }
                    return offsets.generation(group: request.groupId) == nil ? .illegalGeneration : .unknownMemberId
                }
                defer { refresh(request.groupId, &state) }
                return state.groups[request.groupId]?.machine.allowCommit(request, now: now) ?? .unknownMemberId
            }
        }
        let time = wallTime()
        var records: [OffsetStore.Record] = []
        let topics = request.topics.map { topic in
            topic.map { partition in
                var error = verdict
                let metadata = partition.metadata ?? ""
                if error == .none, metadata.utf8.count > Self.maxMetadataLength { error = .offsetMetadataTooLarge }
                if error == .none, !exists(topic.name, partition.index) { error = .unknownTopicOrPartition }
                if error == .none {
                    let value = CommittedOffset(
                        offset: partition.offset,
                        leaderEpoch: partition.leaderEpoch,
                        metadata: metadata,
                        committedAt: time
                    )
                    let key = TopicPartition(topic: topic.name, partition: partition.index)
                    records.append(.offset(group: request.groupId, key, value))
                }
                return OffsetCommitResponse.Partition(index: partition.index, error: error)
            }
        }
        guard !records.isEmpty else { return reply(OffsetCommitResponse(topics: topics)) }
        offsets.write(records) { failure in
            let answered = topics.map { topic in
                topic.map { partition in
                    guard failure != nil, partition.error == .none else { return partition }
                    return OffsetCommitResponse.Partition(index: partition.index, error: .coordinatorNotAvailable)
                }
            }
            reply(OffsetCommitResponse(topics: answered))
        }
    }

    /// Committed offsets of one group; −1 where there is none.
    func fetchOffsets(_ group: OffsetFetchRequest.Group) -> OffsetFetchResponse.Group {
        let committed = offsets.offsets(group: group.groupId)
        let wanted =
            group.topics
            ?? Dictionary(grouping: committed.keys, by: \.topic).map { topic, keys in
                ByTopic(name: topic, partitions: keys.map(\.partition).sorted())
            }.sorted { $0.name < $1.name }
        let topics = wanted.map { topic in
            topic.map { index in
                guard let value = committed[TopicPartition(topic: topic.name, partition: index)] else {
                    return OffsetFetchResponse.Partition(index: index)
                }
                return .init(
                    index: index,
                    offset: value.offset,
                    leaderEpoch: value.leaderEpoch,
                    metadata: value.metadata
                )
            }
        }
        return OffsetFetchResponse.Group(groupId: group.groupId, topics: topics)
    }

    // MARK: Looking at groups

    func describe(_ groupId: String) -> DescribeGroupsResponse.Group {
        let machine = state.withLock { $0.groups[groupId]?.machine }
        var answer = DescribeGroupsResponse.Group(groupId: groupId)
        guard let machine else {
            answer.state = offsets.groups.contains(groupId) ? GroupMachine.Phase.empty.rawValue : "Dead"
            return answer
        }
        answer.state = machine.phase.rawValue
        answer.protocolType = machine.protocolType ?? ""
        // As Kafka does: protocol and assignments are shown of a stable group only.
        let isStable = machine.phase == .stable
        answer.protocolName = isStable ? machine.protocolName ?? "" : ""
        answer.members = machine.members.map { member in
            DescribeGroupsResponse.Member(
                memberId: member.id,
                groupInstanceId: member.instanceId,
                clientId: member.clientId,
                clientHost: member.clientHost,
                metadata: isStable ? member.metadata(answer.protocolName) : ByteBuffer(),
                assignment: isStable ? member.assignment : ByteBuffer()
            )
        }
        return answer
    }

    func list(states: [String]) -> [ListGroupsResponse.Group] {
        var groups: [String: ListGroupsResponse.Group] = [:]
        for id in offsets.groups {
            groups[id] = .init(groupId: id, protocolType: "", state: GroupMachine.Phase.empty.rawValue)
        }
        state.withLock { state in
            for (id, slot) in state.groups {
                groups[id] = .init(
                    groupId: id,
                    protocolType: slot.machine.protocolType ?? "",
                    state: slot.machine.phase.rawValue
                )
            }
        }
        let wanted = Set(states)
        return groups.values.filter { wanted.isEmpty || wanted.contains($0.state) }.sorted { $0.groupId < $1.groupId }
    }

    /// Groups by phase, for the metrics.
    var phases: [String: Int] {
        var counts: [String: Int] = [:]
        for group in list(states: []) { counts[group.state, default: 0] += 1 }
        return counts
    }

    /// Deletes groups without members; answers, in the same order, when that is durable.
    func delete(_ groupIds: [String], reply: @escaping @Sendable ([ErrorCode]) -> Void) {
        let stored = offsets.groups
        let errors = state.withLock { state in
            groupIds.map { id -> ErrorCode in
                guard let slot = state.groups[id] else { return stored.contains(id) ? .none : .groupIdNotFound }
                guard slot.machine.isDeserted else { return .nonEmptyGroup }
                state.groups[id] = nil
                return .none
            }
        }
        let removals = zip(groupIds, errors).filter { $1 == .none }.map { OffsetStore.Record.groupRemoved(group: $0.0) }
        guard !removals.isEmpty else { return reply(errors) }
        offsets.write(removals) { failure in
            reply(failure == nil ? errors : errors.map { $0 == .none ? .coordinatorNotAvailable : $0 })
        }
    }

    // MARK: Time

    /// Ends what has run out of time. Called often; cheap when nothing is due.
    func tick() {
        let now = now()
        let work = state.withLock { state -> [Delivery] in
            guard state.earliest <= now else { return [] }
            var work: [Delivery] = []
            for (id, slot) in state.groups where slot.deadline.map({ $0 <= now }) ?? false {
                work += update(id, &state) { $0.expire(now: now) }
            }
            state.earliest = state.groups.values.compactMap(\.deadline).min() ?? .max
            return work
        }
        deliver(work)
    }

    /// Removes groups that have been empty for longer than the retention.
    func expireOffsets() {
        let now = now()
        let known = offsets.groups
        let expired = state.withLock { state -> [String] in
            let candidates = known.union(state.groups.keys)
            return candidates.filter { id in
                guard let machine = state.groups[id]?.machine else {
                    return now - startedAt > configuration.offsetRetentionMs
                }
                guard machine.isDeserted, now - machine.emptySince > configuration.offsetRetentionMs else {
                    return false
                }
                state.groups[id] = nil
                return true
            }
        }
        guard !expired.isEmpty else { return }
        offsets.write(expired.map { .groupRemoved(group: $0) }) { _ in }
    }

    // MARK: Inside

    /// An answer to give, and what has to be durable before.
    private struct Delivery {
        var records: [OffsetStore.Record] = []
        var answers: [@Sendable (_ isDurable: Bool) -> Void] = []
    }

    private static func isValid(_ groupId: String) -> Bool {
        !groupId.isEmpty && groupId.utf8.count <= maxGroupIdLength
    }

    private func newMachine(_ groupId: String, now: Int64) -> GroupMachine {
        GroupMachine(
            groupId: groupId,
            generation: offsets.generation(group: groupId) ?? 0,
            limits: configuration,
            now: now
        )
    }

    /// Keeps the number of groups in memory bounded; what an empty group has to remember is in the store.
    private func makeRoom(_ state: inout State) -> Bool {
        guard state.groups.count >= configuration.maxGroups else { return true }
        guard let idle = state.groups.first(where: { $0.value.machine.isDeserted }) else { return false }
        state.groups[idle.key] = nil
        return true
    }

    private func take(_ reply: Reply, _ state: inout State) -> GroupMachine.Ticket {
        defer { state.nextTicket += 1 }
        state.replies[state.nextTicket] = reply
        return state.nextTicket
    }

    private func refresh(_ groupId: String, _ state: inout State) {
        let deadline = state.groups[groupId]?.machine.nextDeadline
        state.groups[groupId]?.deadline = deadline
        if let deadline { state.earliest = min(state.earliest, deadline) }
    }

    private func update(
        _ groupId: String,
        _ state: inout State,
        _ body: (inout GroupMachine) -> Void
    ) -> [Delivery] {
        guard var slot = state.groups[groupId] else { return [] }
        // Taken out for the change, so that the machine is not copied.
        state.groups[groupId]?.machine.members = []
        body(&slot.machine)
        let actions = slot.machine.takeActions()
        state.groups[groupId] = slot
        refresh(groupId, &state)
        var delivery = Delivery()
        for action in actions {
            switch action {
            case .persistGeneration(let generation):
                delivery.records.append(.generation(group: groupId, generation))
            case .answerJoin(let ticket, let response):
                guard case .join(let reply) = state.replies.removeValue(forKey: ticket) else { continue }
                delivery.answers.append { isDurable in
                    reply(
                        isDurable
                            ? response : JoinGroupResponse(error: .coordinatorNotAvailable, memberId: response.memberId)
                    )
                }
            case .answerSync(let ticket, let response):
                guard case .sync(let reply) = state.replies.removeValue(forKey: ticket) else { continue }
                delivery.answers.append { _ in reply(response) }
            }
        }
        return [delivery]
    }

    private func deliver(_ work: [Delivery]) {
        for delivery in work {
            if delivery.records.isEmpty {
                for answer in delivery.answers { answer(true) }
            } else {
                offsets.write(delivery.records) { error in
                    for answer in delivery.answers { answer(error == nil) }
                }
            }
        }
    }
}
