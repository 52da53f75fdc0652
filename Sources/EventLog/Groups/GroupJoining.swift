import NIOCore

/// Joining, rebalancing and synchronising.
extension GroupMachine {
    /// Who asks.
    struct Client: Sendable {
        var clientId: String
        var host: String
        /// From JoinGroup version 4 on a dynamic member first gets an id and joins with it (KIP-394).
        var mustKnowMemberId: Bool
        /// A fresh, never used id for a member without one.
        var newMemberId: String
    }

    mutating func join(_ request: JoinGroupRequest, client: Client, ticket: Ticket, now: Int64) -> [Action] {
        var actions: [Action] = []
        func refuse(_ error: ErrorCode, memberId: String? = nil) -> [Action] {
            [.answerJoin(ticket, JoinGroupResponse(error: error, memberId: memberId ?? request.memberId))]
        }
        guard (limits.minSessionTimeoutMs...limits.maxSessionTimeoutMs).contains(Int64(request.sessionTimeoutMs)) else {
            return refuse(.invalidSessionTimeout)
        }
        let names = Set(request.protocols.map(\.name))
        guard !request.protocolType.isEmpty, !names.isEmpty, isCompatible(request.protocolType, names, request.memberId)
        else { return refuse(.inconsistentGroupProtocol) }
        let member = Member(
            id: request.memberId,
            instanceId: request.groupInstanceId,
            clientId: client.clientId,
            clientHost: client.host,
            sessionTimeoutMs: Int64(request.sessionTimeoutMs),
            rebalanceTimeoutMs: Int64(
                request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs
            ),
            protocols: request.protocols,
            deadline: now + Int64(request.sessionTimeoutMs),
            joinTicket: ticket
        )
        guard member.metadataSize <= limits.maxMemberBytes else { return refuse(.invalidRequest) }
        if request.memberId.isEmpty {
            if let instanceId = request.groupInstanceId, let current = staticMembers[instanceId] {
                replaceStatic(current, by: member, id: client.newMemberId, now: now, actions: &actions)
                return actions
            }
            guard members.count + pendingMembers.count < limits.maxMembers else { return refuse(.groupMaxSizeReached) }
            if request.groupInstanceId == nil, client.mustKnowMemberId {
                pendingMembers[client.newMemberId] = now + Int64(request.sessionTimeoutMs)
                return refuse(.memberIdRequired, memberId: client.newMemberId)
            }
            add(member, id: client.newMemberId, protocolType: request.protocolType, now: now, actions: &actions)
            return actions
        }
        if let instanceId = request.groupInstanceId {
            guard let current = staticMembers[instanceId] else { return refuse(.unknownMemberId) }
            guard current == request.memberId else { return refuse(.fencedInstanceId) }
        }
        if pendingMembers.removeValue(forKey: request.memberId) != nil {
            add(member, id: request.memberId, protocolType: request.protocolType, now: now, actions: &actions)
            return actions
        }
        guard let place = position(request.memberId) else { return refuse(.unknownMemberId) }
        rejoin(place, member, now: now, actions: &actions)
        return actions
    }

    /// Whether the group's other members share a protocol with this one.
    private func isCompatible(_ type: String, _ names: Set<String>, _ memberId: String) -> Bool {
        let others = members.filter { $0.id != memberId }
        guard !others.isEmpty else { return true }
        guard type == protocolType else { return false }
        return !others.reduce(names) { $0.intersection($1.protocols.map(\.name)) }.isEmpty
    }

    private mutating func add(
        _ member: Member,
        id: String,
        protocolType type: String,
        now: Int64,
        actions: inout [Action]
    ) {
        var member = member
        member.id = id
        if members.isEmpty { protocolType = type }
        if let instanceId = member.instanceId { staticMembers[instanceId] = id }
        if leader == nil { leader = id }
        members.append(member)
        prepareRebalance(now: now, actions: &actions)
    }

    private mutating func rejoin(_ place: Int, _ member: Member, now: Int64, actions: inout [Action]) {
        let old = members[place]
        let isUnchanged = old.protocols == member.protocols
        let isLeader = leader == member.id
        let keepsGeneration =
            switch phase {
            case .completing: isUnchanged
            case .stable: isUnchanged && !isLeader
            case .preparing, .empty: false
            }
        // A request that is replaced by a newer one of the same member is answered, so that no connection hangs.
        if let ticket = old.joinTicket, ticket != member.joinTicket {
            actions.append(.answerJoin(ticket, JoinGroupResponse(error: .rebalanceInProgress, memberId: old.id)))
        }
        var updated = member
        updated.assignment = old.assignment
        updated.syncTicket = old.syncTicket
        if keepsGeneration {
            members[place].deadline = updated.deadline
            if let ticket = member.joinTicket { answerJoin(ticket, members[place], actions: &actions) }
            return
        }
        members[place] = updated
        prepareRebalance(now: now, actions: &actions)
    }

    /// A restarted static member takes its old place, without a rebalance when nothing would change.
    private mutating func replaceStatic(
        _ current: String,
        by member: Member,
        id: String,
        now: Int64,
        actions: inout [Action]
    ) {
        guard let place = position(current), let ticket = member.joinTicket else { return }
        let old = members[place]
        answerWaiting(old, error: .fencedInstanceId, actions: &actions)
        var updated = member
        updated.id = id
        updated.assignment = old.assignment
        if let instanceId = member.instanceId { staticMembers[instanceId] = id }
        let oldLeader = leader
        if leader == current { leader = id }
        members[place] = updated
        guard phase == .stable, selectProtocol() == protocolName else {
            prepareRebalance(now: now, actions: &actions)
            return
        }
        members[place].joinTicket = nil
        // The old leader's id is named, so that the newcomer does not assign anew.
        var response = joinResponse(for: members[place])
        response.leader = oldLeader ?? ""
        response.members = []
        actions.append(.answerJoin(ticket, response))
    }

    // MARK: Rebalancing

    mutating func prepareRebalance(now: Int64, actions: inout [Action]) {
        if phase == .completing || phase == .stable {
            for place in members.indices {
                members[place].assignment = ByteBuffer()
                if let ticket = members[place].syncTicket {
                    actions.append(.answerSync(ticket, SyncGroupResponse(error: .rebalanceInProgress)))
                    members[place].syncTicket = nil
                    members[place].deadline = now + members[place].sessionTimeoutMs
                }
            }
        }
        if phase != .preparing {
            let delay = phase == .empty ? limits.initialRebalanceDelayMs : longestRebalance
            isInitialDelay = phase == .empty && limits.initialRebalanceDelayMs > 0
            phase = .preparing
            rebalanceDeadline = now + delay
            syncDeadline = nil
        }
        tryToComplete(now: now, actions: &actions)
    }

    private var longestRebalance: Int64 { members.map(\.rebalanceTimeoutMs).max() ?? 0 }

    /// Ends the preparing phase when nobody is missing.
    mutating func tryToComplete(now: Int64, actions: inout [Action]) {
        guard phase == .preparing, !isInitialDelay, pendingMembers.isEmpty,
            members.allSatisfy({ $0.joinTicket != nil })
        else { return }
        completeJoin(now: now, actions: &actions)
    }

    mutating func completeJoin(now: Int64, actions: inout [Action]) {
        isInitialDelay = false
        // Dynamic members that did not rejoin are given up; static ones keep their place until their session ends.
        for member in members where member.joinTicket == nil && member.instanceId == nil {
            if let place = position(member.id) { members.remove(at: place) }
            if leader == member.id { leader = nil }
        }
        if members.isEmpty {
            generation = generation == .max ? 0 : generation + 1
            phase = .empty
            protocolName = nil
            protocolType = nil
            leader = nil
            rebalanceDeadline = nil
            emptySince = now
            actions.append(.persistGeneration(generation))
            return
        }
        guard let joined = members.first(where: { $0.joinTicket != nil }) else {
            // Only static members, none of which is back: wait for one, or for their sessions to end.
            rebalanceDeadline = now + longestRebalance
            return
        }
        if let current = leader.flatMap({ position($0) }), members[current].joinTicket != nil {
            // The leader stays.
        } else {
            leader = joined.id
        }
        generation = generation == .max ? 0 : generation + 1
        protocolName = selectProtocol()
        phase = .completing
        rebalanceDeadline = nil
        syncDeadline = now + longestRebalance
        actions.append(.persistGeneration(generation))
        for place in members.indices {
            members[place].deadline = now + members[place].sessionTimeoutMs
            members[place].assignment = ByteBuffer()
            guard let ticket = members[place].joinTicket else { continue }
            members[place].joinTicket = nil
            answerJoin(ticket, members[place], actions: &actions)
        }
    }

    /// The protocol with the most votes among those that all members have.
    func selectProtocol() -> String? {
        guard let first = members.first else { return nil }
        let candidates = members.reduce(Set(first.protocols.map(\.name))) {
            $0.intersection($1.protocols.map(\.name))
        }
        var votes: [String: Int] = [:]
        for member in members {
            if let vote = member.vote(among: candidates) { votes[vote, default: 0] += 1 }
        }
        // On a tie the first member's order decides, so that the choice is always the same.
        return first.protocols.map(\.name).filter { candidates.contains($0) }.max { left, right in
            (votes[left] ?? 0) < (votes[right] ?? 0)
        }
    }

    private func joinResponse(for member: Member) -> JoinGroupResponse {
        var response = JoinGroupResponse(
            generation: generation,
            protocolType: protocolType,
            protocolName: protocolName,
            leader: leader ?? "",
            memberId: member.id
        )
        if member.id == leader, let protocolName {
            response.members = members.map {
                JoinGroupResponse.Member(
                    memberId: $0.id,
                    groupInstanceId: $0.instanceId,
                    metadata: $0.metadata(protocolName)
                )
            }
        }
        return response
    }

    private func answerJoin(_ ticket: Ticket, _ member: Member, actions: inout [Action]) {
        actions.append(.answerJoin(ticket, joinResponse(for: member)))
    }

    // MARK: Synchronising

    mutating func sync(_ request: SyncGroupRequest, ticket: Ticket, now: Int64) -> [Action] {
        func refuse(_ error: ErrorCode) -> [Action] { [.answerSync(ticket, SyncGroupResponse(error: error))] }
        let error = admit(request, now: now)
        guard error == .none, let place = position(request.memberId) else { return refuse(error) }
        func differs(_ wanted: String?, _ mine: String?) -> Bool { wanted != nil && mine != nil && wanted != mine }
        if differs(request.protocolType, protocolType) || differs(request.protocolName, protocolName) {
            return refuse(.inconsistentGroupProtocol)
        }
        var actions: [Action] = []
        switch phase {
        case .empty: return refuse(.unknownMemberId)
        case .preparing: return refuse(.rebalanceInProgress)
        case .stable:
            return [.answerSync(ticket, syncResponse(members[place].assignment))]
        case .completing:
            if let old = members[place].syncTicket {
                actions.append(.answerSync(old, SyncGroupResponse(error: .rebalanceInProgress)))
            }
            members[place].syncTicket = ticket
            guard request.memberId == leader else { return actions }
            let assigned = request.assignments.reduce(0) { $0 + $1.assignment.readableBytes }
            guard assigned <= limits.maxMemberBytes * members.count else {
                members[place].syncTicket = nil
                return actions + refuse(.invalidRequest)
            }
            assign(request.assignments, now: now, actions: &actions)
            return actions
        }
    }

    private mutating func assign(_ assignments: [SyncGroupRequest.Assignment], now: Int64, actions: inout [Action]) {
        let byMember = Dictionary(assignments.map { ($0.memberId, $0.assignment) }) { _, last in last }
        phase = .stable
        syncDeadline = nil
        for place in members.indices {
            members[place].assignment = byMember[members[place].id] ?? ByteBuffer()
            members[place].deadline = max(members[place].deadline, now + members[place].sessionTimeoutMs)
            if let ticket = members[place].syncTicket {
                members[place].syncTicket = nil
                actions.append(.answerSync(ticket, syncResponse(members[place].assignment)))
            }
        }
    }

    private func syncResponse(_ assignment: ByteBuffer) -> SyncGroupResponse {
        SyncGroupResponse(protocolType: protocolType, protocolName: protocolName, assignment: assignment)
    }
}
