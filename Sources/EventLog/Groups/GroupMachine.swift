import NIOCore

/// One consumer group of the classic protocol, as a pure state machine: inputs with the time go in, ``takeActions()`` gives what is to be done.
///
/// ```
///              first member joins                all joined, or time is up
///   empty ───────────────────────► preparing ───────────────────────────► completing
///     ▲                              ▲    │  nobody left                     │
///     └──────────────────────────────┼────┘                leader's sync    │
///                                    │      member joins,                   ▼
///                                    └──── changes, leaves or expires ── stable
/// ```
///
/// Rules follow Apache Kafka's group coordinator. A generation never goes back, also not across restarts: the machine
/// asks for it to be persisted before the answers of a finished rebalance go out.
struct GroupMachine: Sendable {
    enum Phase: String, Sendable {
        /// No members; committed offsets may exist. Can go to: preparing.
        case empty = "Empty"
        /// Waiting for members to (re)join. Can go to: completing, empty.
        case preparing = "PreparingRebalance"
        /// Waiting for the leader's assignment. Can go to: stable, preparing.
        case completing = "CompletingRebalance"
        /// Everyone has an assignment. Can go to: preparing.
        case stable = "Stable"
    }

    /// Names a request that waits for its answer.
    typealias Ticket = UInt64

    struct Member: Sendable {
        var id: String
        var instanceId: String?
        var clientId: String
        var clientHost: String
        var sessionTimeoutMs: Int64
        var rebalanceTimeoutMs: Int64
        var protocols: [JoinGroupRequest.GroupProtocol]
        var assignment = ByteBuffer()
        /// When the member is given up, unless it waits for an answer of ours.
        var deadline: Int64
        var joinTicket: Ticket?
        var syncTicket: Ticket?

        func metadata(_ name: String) -> ByteBuffer {
            protocols.first { $0.name == name }?.metadata ?? ByteBuffer()
        }

        /// Whether an answer of ours is on its way, which is when its time does not run out.
        var isWaiting: Bool { joinTicket != nil || syncTicket != nil }

        var metadataSize: Int { protocols.reduce(0) { $0 + $1.metadata.readableBytes + $1.name.utf8.count } }
    }

    enum Action: Sendable {
        case answerJoin(Ticket, JoinGroupResponse)
        case answerSync(Ticket, SyncGroupResponse)
        /// To be made durable before the answers in the same list go out.
        case persistGeneration(Int32)
    }

    let groupId: String
    let limits: EventLogConfiguration
    var phase = Phase.empty
    var generation: Int32
    var protocolType: String?
    var protocolName: String?
    var leader: String?
    /// In order of joining.
    var members: [Member] = []
    /// Ids that were given out with MEMBER_ID_REQUIRED, and when they lapse.
    var pendingMembers: [String: Int64] = [:]
    /// Instance id to member id.
    var staticMembers: [String: String] = [:]
    /// When the preparing phase ends at the latest; nil in the others.
    var rebalanceDeadline: Int64?
    /// When members that have not asked for their assignment are given up; nil but in the completing phase.
    var syncDeadline: Int64?
    /// Whether the preparing phase waits for more members of a new group, however many are there.
    var isInitialDelay = false
    /// Since when the group is empty, for the retention of its offsets.
    var emptySince: Int64
    /// The time of the last input.
    var now: Int64
    /// What the inputs led to and nobody has carried out yet.
    var actions: [Action] = []

    init(groupId: String, generation: Int32, limits: EventLogConfiguration, now: Int64) {
        self.groupId = groupId
        self.generation = generation
        self.limits = limits
        emptySince = now
        self.now = now
    }

    /// What is to be done since the last call, in order.
    mutating func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    /// Whether nobody is there or about to come.
    var isDeserted: Bool { phase == .empty && pendingMembers.isEmpty }

    func position(_ memberId: String) -> Int? { members.firstIndex { $0.id == memberId } }

    /// The next time at which ``expire(now:)`` has something to do.
    var nextDeadline: Int64? {
        let sessions = members.lazy.filter { !$0.isWaiting }.map(\.deadline).min()
        return [pendingMembers.values.min(), sessions, rebalanceDeadline, syncDeadline].compactMap { $0 }.min()
    }

    // MARK: Heartbeat

    mutating func heartbeat(_ request: HeartbeatRequest, now: Int64) -> ErrorCode {
        let error = admit(request, now: now)
        return error == .none && phase == .preparing ? .rebalanceInProgress : error
    }

    /// The checks that heartbeat, sync and commit share. What passes them is a sign of life.
    mutating func admit(_ request: some MemberRequest, now: Int64) -> ErrorCode {
        self.now = now
        if phase == .empty { return .unknownMemberId }
        if let instanceId = request.groupInstanceId {
            guard let current = staticMembers[instanceId] else { return .unknownMemberId }
            if current != request.memberId { return .fencedInstanceId }
        }
        guard let place = position(request.memberId) else { return .unknownMemberId }
        guard request.generation == generation else { return .illegalGeneration }
        members[place].deadline = now + members[place].sessionTimeoutMs
        return .none
    }

    // MARK: Committing offsets

    /// Whether a commit is allowed.
    mutating func allowCommit(_ request: OffsetCommitRequest, now: Int64) -> ErrorCode {
        if request.generation < 0, phase == .empty { return .none }
        if request.generation < 0, request.memberId.isEmpty, request.groupInstanceId == nil { return .unknownMemberId }
        let error = admit(request, now: now)
        return error == .none && phase == .completing ? .rebalanceInProgress : error
    }

    // MARK: Leaving

    /// Takes one member out.
    mutating func leave(_ member: LeaveGroupRequest.Member, now: Int64) -> ErrorCode {
        self.now = now
        var memberId = member.memberId
        if let instanceId = member.groupInstanceId {
            guard let current = staticMembers[instanceId] else { return .unknownMemberId }
            if !memberId.isEmpty, memberId != current { return .fencedInstanceId }
            memberId = current
        }
        if pendingMembers.removeValue(forKey: memberId) != nil {
            tryToComplete()
            return .none
        }
        guard position(memberId) != nil else { return .unknownMemberId }
        remove(memberId)
        return .none
    }

    /// Removes a member, answers what it waits for, and rebalances the rest.
    private mutating func remove(_ memberId: String) {
        guard let place = position(memberId) else { return }
        let member = members.remove(at: place)
        if let instanceId = member.instanceId, staticMembers[instanceId] == memberId { staticMembers[instanceId] = nil }
        answerWaiting(member, error: .unknownMemberId)
        if leader == memberId { leader = members.first?.id }
        switch phase {
        case .stable, .completing: prepareRebalance()
        case .preparing: tryToComplete()
        case .empty: break
        }
    }

    mutating func answerWaiting(_ member: Member, error: ErrorCode) {
        if let ticket = member.joinTicket {
            actions.append(.answerJoin(ticket, JoinGroupResponse(error: error, memberId: member.id)))
        }
        if let ticket = member.syncTicket { actions.append(.answerSync(ticket, SyncGroupResponse(error: error))) }
    }

    // MARK: Time

    /// Gives up members and ends phases whose time has come.
    mutating func expire(now: Int64) {
        self.now = now
        let lapsed = pendingMembers.filter { $0.value <= now }
        for id in lapsed.keys { pendingMembers[id] = nil }
        if !lapsed.isEmpty { tryToComplete() }
        if let deadline = syncDeadline, deadline <= now {
            // Whoever asked for its assignment keeps its place; the others had their time.
            syncDeadline = nil
            for id in members.filter({ $0.syncTicket == nil }).map(\.id) { remove(id) }
        }
        for member in members.filter({ $0.deadline <= now && !$0.isWaiting }) { remove(member.id) }
        if let deadline = rebalanceDeadline, deadline <= now { completeJoin() }
    }
}

/// A request of one member, with the generation that it believes in.
protocol MemberRequest {
    var memberId: String { get }
    var groupInstanceId: String? { get }
    var generation: Int32 { get }
}

extension HeartbeatRequest: MemberRequest {}
extension SyncGroupRequest: MemberRequest {}
extension OffsetCommitRequest: MemberRequest {}
