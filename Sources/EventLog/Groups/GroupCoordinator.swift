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
        case join(Responder<JoinGroupResponse>)
        case sync(Responder<SyncGroupResponse>)
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
    /// Which partitions there are.
    private let exists: @Sendable (TopicPartition) -> Bool
    private let startedAt: Int64
    /// A clock that only goes forward, milliseconds.
    private let now: @Sendable () -> Int64
    private let wallTime: @Sendable () -> Int64
    private let newId: @Sendable () -> String
    private let state = Mutex(State())

    init(
        offsets: OffsetStore,
        configuration: EventLogConfiguration,
        exists: @escaping @Sendable (TopicPartition) -> Bool,
        now: @escaping @Sendable () -> Int64,
        wallTime: @escaping @Sendable () -> Int64,
        newId: @escaping @Sendable () -> String
    ) {
        self.offsets = offsets
        self.configuration = configuration
        self.exists = exists
        self.now = now
        self.wallTime = wallTime
        self.newId = newId
        startedAt = now()
    }

    // MARK: Membership

    func join(_ request: JoinGroupRequest, _ responder: Responder<JoinGroupResponse>) {
        func refuse(_ error: ErrorCode) { responder.send(.init(error: error, memberId: request.memberId)) }
        guard Self.isValid(request.groupId) else { return refuse(.invalidGroupId) }
        let context = responder.context
        var request = request
        for place in request.protocols.indices {
            // Kept for long: the bytes must not keep the whole request frame in memory.
            request.protocols[place].metadata = ByteBuffer(buffer: request.protocols[place].metadata)
        }
        let prefix = request.groupInstanceId ?? (context.clientId.isEmpty ? "member" : context.clientId)
        let client = GroupMachine.Client(
            clientId: context.clientId,
            host: context.host,
            mustKnowMemberId: context.version >= 4,
            newMemberId: "\(prefix.prefix(200))-\(newId())"
        )
        let now = now()
        let work = state.withLock { state -> [Delivery]? in
            if state.groups[request.groupId] == nil {
                guard request.memberId.isEmpty, makeRoom(&state) else { return nil }
                let generation = offsets.generation(group: request.groupId) ?? 0
                state.groups[request.groupId] = Slot(
                    machine: .init(groupId: request.groupId, generation: generation, limits: configuration, now: now)
                )
            }
            let ticket = take(.join(responder), &state)
            return update(request.groupId, &state) { machine in
                machine.join(request, client: client, ticket: ticket, now: now)
            }
        }
        guard let work else { return refuse(request.memberId.isEmpty ? .coordinatorNotAvailable : .unknownMemberId) }
        deliver(work)
    }

    func sync(_ request: SyncGroupRequest, _ responder: Responder<SyncGroupResponse>) {
        var request = request
        for place in request.assignments.indices {
            request.assignments[place].assignment = ByteBuffer(buffer: request.assignments[place].assignment)
        }
        let now = now()
        let work = state.withLock { state -> [Delivery]? in
            guard state.groups[request.groupId] != nil else { return nil }
            let ticket = take(.sync(responder), &state)
            return update(request.groupId, &state) { $0.sync(request, ticket: ticket, now: now) }
        }
        guard let work else { return responder.send(.init(error: .unknownMemberId)) }
        deliver(work)
    }

    func heartbeat(_ request: HeartbeatRequest, _ context: RequestContext) -> HeartbeatResponse {
        let now = now()
        let error = state.withLock { $0.groups[request.groupId]?.machine.heartbeat(request, now: now) }
        return HeartbeatResponse(error: error ?? .unknownMemberId)
    }

    func leave(_ request: LeaveGroupRequest, _ context: RequestContext) -> LeaveGroupResponse {
        let isSingle = context.version < 3
        let leaving = isSingle ? [.init(memberId: request.memberId)] : request.members
        let now = now()
        var errors = leaving.map { _ in ErrorCode.unknownMemberId }
        let work = state.withLock { state in
            update(request.groupId, &state) { machine in errors = leaving.map { machine.leave($0, now: now) } }
        }
        deliver(work)
        let members = zip(leaving, errors).map {
            LeaveGroupResponse.Member(memberId: $0.memberId, groupInstanceId: $0.groupInstanceId, error: $1)
        }
        return LeaveGroupResponse(error: isSingle ? errors[0] : .none, members: members)
    }

    // MARK: Offsets

    /// Commits offsets; answers when they are durable.
    func commit(_ request: OffsetCommitRequest, _ responder: Responder<OffsetCommitResponse>) {
        let verdict = verdict(request)
        let time = wallTime()
        var records: [OffsetStore.Record] = []
        func note(_ topic: String, _ partition: OffsetCommitRequest.Partition) -> ErrorCode {
            guard verdict == .none else { return verdict }
            let metadata = partition.metadata ?? ""
            guard metadata.utf8.count <= Self.maxMetadataLength else { return .offsetMetadataTooLarge }
            let key = TopicPartition(topic: topic, partition: partition.index)
            guard exists(key) else { return .unknownTopicOrPartition }
            let value = CommittedOffset(
                offset: partition.offset,
                leaderEpoch: partition.leaderEpoch,
                metadata: metadata,
                committedAt: time
            )
            records.append(.offset(group: request.groupId, key, value))
            return .none
        }
        let topics = request.topics.map { topic in
            topic.map { OffsetCommitResponse.Partition(index: $0.index, error: note(topic.name, $0)) }
        }
        guard !records.isEmpty else { return responder.send(.init(topics: topics)) }
        offsets.write(records) { failure in
            let answered = topics.map { topic in
                topic.map { partition in
                    guard failure != nil, partition.error == .none else { return partition }
                    return OffsetCommitResponse.Partition(index: partition.index, error: .coordinatorNotAvailable)
                }
            }
            responder.send(.init(topics: answered))
        }
    }

    /// Whether the group takes a commit.
    private func verdict(_ request: OffsetCommitRequest) -> ErrorCode {
        guard Self.isValid(request.groupId) else { return .invalidGroupId }
        let now = now()
        return state.withLock { state in
            defer { refresh(request.groupId, &state) }
            if let verdict = state.groups[request.groupId]?.machine.allowCommit(request, now: now) { return verdict }
            if request.generation < 0 {
                let hasRoom =
                    offsets.hasOffsets(group: request.groupId) || offsets.groupCount < configuration.maxGroups
                return hasRoom ? .none : .coordinatorNotAvailable
            }
            return offsets.generation(group: request.groupId) == nil ? .illegalGeneration : .unknownMemberId
        }
    }

    /// Committed offsets; −1 where there is none.
    func fetchOffsets(_ request: OffsetFetchRequest, _ context: RequestContext) -> OffsetFetchResponse {
        let only = context.version < 8 ? fetchOffsets(request.only) : .init()
        return OffsetFetchResponse(only: only, groups: request.groups.map(fetchOffsets))
    }

    private func fetchOffsets(_ group: OffsetFetchRequest.Group) -> OffsetFetchResponse.Group {
        let committed = offsets.offsets(group: group.groupId)
        let wanted =
            group.topics
            ?? Dictionary(grouping: committed.keys, by: \.topic).map { topic, keys in
                ByTopic(name: topic, partitions: keys.map(\.partition).sorted())
            }.sorted { $0.name < $1.name }
        let topics = wanted.map { topic in
            topic.map { index in
                var answer = OffsetFetchResponse.Partition(index: index)
                if let value = committed[TopicPartition(topic: topic.name, partition: index)] {
                    answer.offset = value.offset
                    answer.leaderEpoch = value.leaderEpoch
                    answer.metadata = value.metadata
                }
                return answer
            }
        }
        return OffsetFetchResponse.Group(groupId: group.groupId, topics: topics)
    }

    // MARK: Looking at groups

    func describe(_ request: DescribeGroupsRequest, _ context: RequestContext) -> DescribeGroupsResponse {
        DescribeGroupsResponse(groups: request.groups.map(describe))
    }

    private func describe(_ groupId: String) -> DescribeGroupsResponse.Group {
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

    func list(_ request: ListGroupsRequest, _ context: RequestContext) -> ListGroupsResponse {
        let wanted = Set(request.statesFilter)
        return ListGroupsResponse(groups: all.filter { wanted.isEmpty || wanted.contains($0.state) })
    }

    /// Every group, by name.
    private var all: [ListGroupsResponse.Group] {
        var groups: [String: ListGroupsResponse.Group] = [:]
        for id in offsets.groups { groups[id] = .init(groupId: id, state: GroupMachine.Phase.empty.rawValue) }
        state.withLock { state in
            for (id, slot) in state.groups {
                let (type, phase) = (slot.machine.protocolType, slot.machine.phase)
                groups[id] = .init(groupId: id, protocolType: type ?? "", state: phase.rawValue)
            }
        }
        return groups.values.sorted { $0.groupId < $1.groupId }
    }

    /// Groups by phase, for the metrics.
    var phases: [String: Int] { Dictionary(all.map { ($0.state, 1) }, uniquingKeysWith: +) }

    /// Deletes groups without members; answers when that is durable.
    func delete(_ request: DeleteGroupsRequest, _ responder: Responder<DeleteGroupsResponse>) {
        let stored = offsets.groups
        let results = state.withLock { state in
            request.groups.map { id -> DeleteGroupsResponse.Result in
                guard let slot = state.groups[id] else {
                    return .init(groupId: id, error: stored.contains(id) ? .none : .groupIdNotFound)
                }
                guard slot.machine.isDeserted else { return .init(groupId: id, error: .nonEmptyGroup) }
                state.groups[id] = nil
                return .init(groupId: id)
            }
        }
        let removed = results.filter { $0.error == .none }
        guard !removed.isEmpty else { return responder.send(.init(results: results)) }
        offsets.write(removed.map { .groupRemoved(group: $0.groupId) }) { failure in
            guard failure != nil else { return responder.send(.init(results: results)) }
            let failed = results.map { result in
                result.error == .none ? .init(groupId: result.groupId, error: .coordinatorNotAvailable) : result
            }
            responder.send(.init(results: failed))
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

    private func update(_ groupId: String, _ state: inout State, _ body: (inout GroupMachine) -> Void) -> [Delivery] {
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
                guard case .join(let responder) = state.replies.removeValue(forKey: ticket) else { continue }
                delivery.answers.append { isDurable in
                    let failed = JoinGroupResponse(error: .coordinatorNotAvailable, memberId: response.memberId)
                    responder.send(isDurable ? response : failed)
                }
            case .answerSync(let ticket, let response):
                guard case .sync(let responder) = state.replies.removeValue(forKey: ticket) else { continue }
                delivery.answers.append { _ in responder.send(response) }
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
