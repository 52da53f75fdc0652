extension Broker {
    func joinGroup(_ request: JoinGroupRequest, _ responder: Responder) {
        let context = responder.context
        groups.join(request, version: context.version, clientId: context.clientId, host: context.host) { response in
            responder.send(response)
        }
    }

    func syncGroup(_ request: SyncGroupRequest, _ responder: Responder) {
        groups.sync(request) { responder.send($0) }
    }

    func heartbeat(_ request: HeartbeatRequest, _ responder: Responder) {
        responder.send(HeartbeatResponse(error: groups.heartbeat(request)))
    }

    func leaveGroup(_ request: LeaveGroupRequest, _ responder: Responder) {
        let isSingle = responder.context.version < 3
        var request = request
        if isSingle { request.members = [.init(memberId: request.memberId)] }
        var response = groups.leave(request)
        if isSingle { response.error = response.members.first?.error ?? .none }
        responder.send(response)
    }

    func offsetCommit(_ request: OffsetCommitRequest, _ responder: Responder) {
        let store = store
        groups.commit(request, exists: { store.partition($0, $1) != nil }) { responder.send($0) }
    }

    func offsetFetch(_ request: OffsetFetchRequest, _ responder: Responder) {
        let only = responder.context.version < 8 ? groups.fetchOffsets(request.only) : .init()
        responder.send(OffsetFetchResponse(only: only, groups: request.groups.map { groups.fetchOffsets($0) }))
    }

    func describeGroups(_ request: DescribeGroupsRequest, _ responder: Responder) {
        responder.send(DescribeGroupsResponse(groups: request.groups.map { groups.describe($0) }))
    }

    func listGroups(_ request: ListGroupsRequest, _ responder: Responder) {
        responder.send(ListGroupsResponse(groups: groups.list(states: request.statesFilter)))
    }

    func deleteGroups(_ request: DeleteGroupsRequest, _ responder: Responder) {
        groups.delete(request.groups) { errors in
            let results = zip(request.groups, errors).map { DeleteGroupsResponse.Result(groupId: $0, error: $1) }
            responder.send(DeleteGroupsResponse(results: results))
        }
    }
}
