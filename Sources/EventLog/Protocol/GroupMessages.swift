import NIOCore

/// FindCoordinator (key 10), versions 0–4; version 4 asks for several keys at once.
struct FindCoordinatorRequest: WireStruct {
    static let groupKeyType: Int8 = 0

    var key = ""
    var keyType: Int8 = 0
    var keys: [String] = []

    static let fields: Fields = [.init(\.key, until: 3), .init(\.keyType, since: 1), .init(\.keys, since: 4)]
}

/// The answer to ``FindCoordinatorRequest``: one coordinator before version 4, a list from then on.
struct FindCoordinatorResponse: WireStruct {
    struct Coordinator: WireStruct {
        var key = ""
        var nodeId: Int32 = -1
        var host = ""
        var port: Int32 = -1
        var error = ErrorCode.none
        var errorMessage: String?

        static let fields: Fields = [
            .init(\.key), .init(\.nodeId), .init(\.host), .init(\.port), .init(\.error), .init(\.errorMessage),
        ]
    }

    var throttleMs: Int32 = 0
    var only = Coordinator()
    var coordinators: [Coordinator] = []

    static let fields: Fields = [
        .init(\.throttleMs, since: 1), .init(\.only.error, until: 3), .init(\.only.errorMessage, since: 1, until: 3),
        .init(\.only.nodeId, until: 3), .init(\.only.host, until: 3), .init(\.only.port, until: 3),
        .init(\.coordinators, since: 4),
    ]
}

/// JoinGroup (key 11), versions 0–7.
struct JoinGroupRequest: WireStruct {
    struct GroupProtocol: WireStruct, Equatable {
        var name = ""
        var metadata = ByteBuffer()

        static let fields: Fields = [.init(\.name), .init(\.metadata)]
    }

    var groupId = ""
    var sessionTimeoutMs: Int32 = 0
    var rebalanceTimeoutMs: Int32 = -1
    var memberId = ""
    var groupInstanceId: String?
    var protocolType = ""
    var protocols: [GroupProtocol] = []

    static let fields: Fields = [
        .init(\.groupId), .init(\.sessionTimeoutMs), .init(\.rebalanceTimeoutMs, since: 1), .init(\.memberId),
        .init(\.groupInstanceId, since: 5), .init(\.protocolType), .init(\.protocols),
    ]
}

/// The answer to ``JoinGroupRequest``.
struct JoinGroupResponse: WireStruct {
    struct Member: WireStruct {
        var memberId = ""
        var groupInstanceId: String?
        var metadata = ByteBuffer()

        static let fields: Fields = [.init(\.memberId), .init(\.groupInstanceId, since: 5), .init(\.metadata)]
    }

    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var generation: Int32 = -1
    var protocolType: String?
    var protocolName: String?
    var leader = ""
    var memberId = ""
    var members: [Member] = []

    static let fields: Fields = [
        .init(\.throttleMs, since: 2), .init(\.error), .init(\.generation), .init(\.protocolType, since: 7),
        .init(\.protocolName, nullableSince: 7), .init(\.leader), .init(\.memberId), .init(\.members),
    ]
}

/// SyncGroup (key 14), versions 0–5.
struct SyncGroupRequest: WireStruct {
    struct Assignment: WireStruct {
        var memberId = ""
        var assignment = ByteBuffer()

        static let fields: Fields = [.init(\.memberId), .init(\.assignment)]
    }

    var groupId = ""
    var generation: Int32 = -1
    var memberId = ""
    var groupInstanceId: String?
    var protocolType: String?
    var protocolName: String?
    var assignments: [Assignment] = []

    static let fields: Fields = [
        .init(\.groupId), .init(\.generation), .init(\.memberId), .init(\.groupInstanceId, since: 3),
        .init(\.protocolType, since: 5), .init(\.protocolName, since: 5), .init(\.assignments),
    ]
}

/// The answer to ``SyncGroupRequest``.
struct SyncGroupResponse: WireStruct {
    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var protocolType: String?
    var protocolName: String?
    var assignment = ByteBuffer()

    static let fields: Fields = [
        .init(\.throttleMs, since: 1), .init(\.error), .init(\.protocolType, since: 5), .init(\.protocolName, since: 5),
        .init(\.assignment),
    ]
}

/// Heartbeat (key 12), versions 0–4.
struct HeartbeatRequest: WireStruct {
    var groupId = ""
    var generation: Int32 = -1
    var memberId = ""
    var groupInstanceId: String?

    static let fields: Fields = [
        .init(\.groupId), .init(\.generation), .init(\.memberId), .init(\.groupInstanceId, since: 3),
    ]
}

/// The answer to ``HeartbeatRequest``.
struct HeartbeatResponse: WireStruct {
    var throttleMs: Int32 = 0
    var error = ErrorCode.none

    static let fields: Fields = [.init(\.throttleMs, since: 1), .init(\.error)]
}

/// LeaveGroup (key 13), versions 0–4: one member before version 3, a list from then on.
struct LeaveGroupRequest: WireStruct {
    struct Member: WireStruct {
        var memberId = ""
        var groupInstanceId: String?

        static let fields: Fields = [.init(\.memberId), .init(\.groupInstanceId)]
    }

    var groupId = ""
    var memberId = ""
    var members: [Member] = []

    static let fields: Fields = [.init(\.groupId), .init(\.memberId, until: 2), .init(\.members, since: 3)]
}

/// The answer to ``LeaveGroupRequest``.
struct LeaveGroupResponse: WireStruct {
    struct Member: WireStruct {
        var memberId = ""
        var groupInstanceId: String?
        var error = ErrorCode.none

        static let fields: Fields = [.init(\.memberId), .init(\.groupInstanceId), .init(\.error)]
    }

    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var members: [Member] = []

    static let fields: Fields = [.init(\.throttleMs, since: 1), .init(\.error), .init(\.members, since: 3)]
}
