extension Broker {
    func joinGroup(_ request: JoinGroupRequest, _ responder: Responder<JoinGroupResponse>) {
        let context = responder.context
        groups.join(request, version: context.version, clientId: context.clientId, host: context.host) {
            responder.send($0)
        }
    }

    func syncGroup(_ request: SyncGroupRequest, _ responder: Responder<SyncGroupResponse>) {
        groups.sync(request) { responder.send($0) }
    }

    func heartbeat(_ request: HeartbeatRequest, _ context: RequestContext) -> HeartbeatResponse {
        HeartbeatResponse(error: groups.heartbeat(request))
    }

    func leaveGroup(_ request: LeaveGroupRequest, _ context: RequestContext) -> LeaveGroupResponse {
        let isSingle = context.version < 3
        var request = request
        if isSingle { request.members = [.init(memberId: request.memberId)] }
        var response = groups.leave(request)
        if isSingle { response.error = response.members.first?.error ?? .none }
        return response
    }

    func offsetCommit(_ request: OffsetCommitRequest, _ responder: Responder<OffsetCommitResponse>) {
        let store = store
        groups.commit(request, exists: { store.partition($0, $1) != nil }) { responder.send($0) }
    }

    func offsetFetch(_ request: OffsetFetchRequest, _ context: RequestContext) -> OffsetFetchResponse {
        let only = context.version < 8 ? groups.fetchOffsets(request.only) : .init()
        return OffsetFetchResponse(only: only, groups: request.groups.map { groups.fetchOffsets($0) })
    }

    func describeGroups(_ request: DescribeGroupsRequest, _ context: RequestContext) -> DescribeGroupsResponse {
        DescribeGroupsResponse(groups: request.groups.map { groups.describe($0) })
    }

    func listGroups(_ request: ListGroupsRequest, _ context: RequestContext) -> ListGroupsResponse {
        ListGroupsResponse(groups: groups.list(states: request.statesFilter))
    }

    func deleteGroups(_ request: DeleteGroupsRequest, _ responder: Responder<DeleteGroupsResponse>) {
        groups.delete(request.groups) { errors in
            let results = zip(request.groups, errors).map { DeleteGroupsResponse.Result(groupId: $0, error: $1) }
            responder.send(.init(results: results))
        }
    }
}
