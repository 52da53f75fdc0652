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

    mutating func join(_ request: JoinGroupRequest, client: Client, ticket: Ticket, now: Int64) {
        self.now = now
        func refuse(_ error: ErrorCode, memberId: String? = nil) {
            actions.append(.answerJoin(ticket, JoinGroupResponse(error: error, memberId: memberId ?? request.memberId)))
        }
        let timeout = Int64(request.sessionTimeoutMs)
        guard timeout >= limits.minSessionTimeoutMs, timeout <= limits.maxSessionTimeoutMs else {
            return refuse(.invalidSessionTimeout)
        }
        let names = Set(request.protocols.map(\.name))
        guard !request.protocolType.isEmpty, !names.isEmpty, isCompatible(request.protocolType, names, request.memberId)
        else { return refuse(.inconsistentGroupProtocol) }
        let isNew = request.memberId.isEmpty
        let member = Member(
            id: isNew ? client.newMemberId : request.memberId,
            instanceId: request.groupInstanceId,
            clientId: client.clientId,
            clientHost: client.host,
            sessionTimeoutMs: timeout,
            rebalanceTimeoutMs: request.rebalanceTimeoutMs < 0 ? timeout : Int64(request.rebalanceTimeoutMs),
            protocols: request.protocols,
            deadline: now + timeout,
            joinTicket: ticket
        )
        guard member.metadataSize <= limits.maxMemberBytes else { return refuse(.invalidRequest) }
        let current = request.groupInstanceId.flatMap { staticMembers[$0] }
        if isNew {
            if let current { return replaceStatic(current, by: member) }
            guard members.count + pendingMembers.count < limits.maxGroupMembers else {
                return refuse(.groupMaxSizeReached)
            }
            if request.groupInstanceId == nil, client.mustKnowMemberId {
                pendingMembers[member.id] = now + timeout
                return refuse(.memberIdRequired, memberId: member.id)
            }
            return add(member, protocolType: request.protocolType)
        }
        if request.groupInstanceId != nil, current != member.id {
            return refuse(current == nil ? .unknownMemberId : .fencedInstanceId)
        }
        if pendingMembers.removeValue(forKey: member.id) != nil {
            return add(member, protocolType: request.protocolType)
        }
        guard let place = position(member.id) else { return refuse(.unknownMemberId) }
        rejoin(place, member)
    }

    /// Whether the group's other members share a protocol with this one.
    private func isCompatible(_ type: String, _ names: Set<String>, _ memberId: String) -> Bool {
        let others = members.filter { $0.id != memberId }
        guard !others.isEmpty else { return true }
        guard type == protocolType else { return false }
        return !others.reduce(names) { $0.intersection($1.protocols.map(\.name)) }.isEmpty
    }

    private mutating func add(_ member: Member, protocolType type: String) {
        if members.isEmpty { protocolType = type }
        if let instanceId = member.instanceId { staticMembers[instanceId] = member.id }
        if leader == nil { leader = member.id }
        members.append(member)
        prepareRebalance()
    }

    private mutating func rejoin(_ place: Int, _ member: Member) {
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
            if let ticket = member.joinTicket { actions.append(.answerJoin(ticket, joinResponse(for: members[place]))) }
            return
        }
        members[place] = updated
        prepareRebalance()
    }

    /// A restarted static member takes its old place, without a rebalance when nothing would change.
    private mutating func replaceStatic(_ current: String, by member: Member) {
        guard let place = position(current), let ticket = member.joinTicket else { return }
        answerWaiting(members[place], error: .fencedInstanceId)
        var updated = member
        updated.assignment = members[place].assignment
        if let instanceId = member.instanceId { staticMembers[instanceId] = member.id }
        let oldLeader = leader
        if leader == current { leader = member.id }
        members[place] = updated
        guard phase == .stable, selectProtocol() == protocolName else { return prepareRebalance() }
        members[place].joinTicket = nil
        // The old leader's id is named, so that the newcomer does not assign anew.
        var response = joinResponse(for: members[place])
        response.leader = oldLeader ?? ""
        response.members = []
        actions.append(.answerJoin(ticket, response))
    }

    // MARK: Rebalancing

    mutating func prepareRebalance() {
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
            isInitialDelay = phase == .empty && delay > 0
            phase = .preparing
            rebalanceDeadline = now + delay
            syncDeadline = nil
        }
        tryToComplete()
    }

    private var longestRebalance: Int64 { members.map(\.rebalanceTimeoutMs).max() ?? 0 }

    /// Ends the preparing phase when nobody is missing.
    mutating func tryToComplete() {
        guard phase == .preparing, !isInitialDelay, pendingMembers.isEmpty,
            members.allSatisfy({ $0.joinTicket != nil })
        else { return }
        completeJoin()
    }

    mutating func completeJoin() {
        isInitialDelay = false
        // Dynamic members that did not rejoin are given up; static ones keep their place until their session ends.
        for member in members where member.joinTicket == nil && member.instanceId == nil {
            if let place = position(member.id) { members.remove(at: place) }
            if leader == member.id { leader = nil }
        }
        if members.isEmpty {
            phase = .empty
            protocolName = nil
            protocolType = nil
            leader = nil
            emptySince = now
            return beginGeneration()
        }
        guard let joined = members.first(where: { $0.joinTicket != nil }) else {
            // Only static members, none of which is back: wait for one, or for their sessions to end.
            rebalanceDeadline = now + longestRebalance
            return
        }
        // The leader stays if it is back.
        if !members.contains(where: { $0.id == leader && $0.joinTicket != nil }) { leader = joined.id }
        protocolName = selectProtocol()
        phase = .completing
        syncDeadline = now + longestRebalance
        beginGeneration()
        for place in members.indices {
            members[place].deadline = now + members[place].sessionTimeoutMs
            members[place].assignment = ByteBuffer()
            guard let ticket = members[place].joinTicket else { continue }
            members[place].joinTicket = nil
            actions.append(.answerJoin(ticket, joinResponse(for: members[place])))
        }
    }

    private mutating func beginGeneration() {
        generation = generation == .max ? 0 : generation + 1
        rebalanceDeadline = nil
        actions.append(.persistGeneration(generation))
    }

    /// The protocol with the most votes among those that all members have.
    func selectProtocol() -> String? {
        guard let first = members.first else { return nil }
        let candidates = members.reduce(Set(first.protocols.map(\.name))) { $0.intersection($1.protocols.map(\.name)) }
        var votes: [String: Int] = [:]
        for member in members {
            // A member votes for the first of its protocols that everyone has.
            if let vote = member.protocols.first(where: { candidates.contains($0.name) }) {
                votes[vote.name, default: 0] += 1
            }
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
                .init(memberId: $0.id, groupInstanceId: $0.instanceId, metadata: $0.metadata(protocolName))
            }
        }
        return response
    }

    // MARK: Synchronising

    mutating func sync(_ request: SyncGroupRequest, ticket: Ticket, now: Int64) {
        func answer(_ response: SyncGroupResponse) { actions.append(.answerSync(ticket, response)) }
        let error = admit(request, now: now)
        guard error == .none, let place = position(request.memberId) else { return answer(.init(error: error)) }
        func differs(_ wanted: String?, _ mine: String?) -> Bool { wanted != nil && mine != nil && wanted != mine }
        if differs(request.protocolType, protocolType) || differs(request.protocolName, protocolName) {
            return answer(.init(error: .inconsistentGroupProtocol))
        }
        switch phase {
        case .empty: answer(.init(error: .unknownMemberId))
        case .preparing: answer(.init(error: .rebalanceInProgress))
        case .stable: answer(syncResponse(members[place].assignment))
        case .completing:
            if let old = members[place].syncTicket {
                actions.append(.answerSync(old, SyncGroupResponse(error: .rebalanceInProgress)))
            }
            members[place].syncTicket = ticket
            guard request.memberId == leader else { return }
            let assigned = request.assignments.reduce(0) { $0 + $1.assignment.readableBytes }
            guard assigned <= limits.maxMemberBytes * members.count else {
                members[place].syncTicket = nil
                return answer(.init(error: .invalidRequest))
            }
            assign(request.assignments)
        }
    }

    private mutating func assign(_ assignments: [SyncGroupRequest.Assignment]) {
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
