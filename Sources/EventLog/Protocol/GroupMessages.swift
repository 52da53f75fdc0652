import NIOCore

/// FindCoordinator (key 10), versions 0–4; version 4 asks for several keys at once.
struct FindCoordinatorRequest: WireStruct {
    static let groupKeyType: Int8 = 0

    var keys: [String] = []
    var keyType: Int8 = 0

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version <= 3 {
            var key = keys.first ?? ""
            try coder.string(&key)
            keys = [key]
        }
        if coder.version >= 1 { try coder.int8(&keyType) }
        if coder.version >= 4 { try coder.stringArray(&keys) }
        try coder.tags()
    }
}

/// The answer to ``FindCoordinatorRequest``.
struct FindCoordinatorResponse: WireStruct {
    struct Coordinator: WireStruct {
        var key = ""
        var nodeId: Int32 = -1
        var host = ""
        var port: Int32 = -1
        var error = ErrorCode.none
        var errorMessage: String?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&key)
            try coder.int32(&nodeId)
            try coder.string(&host)
            try coder.int32(&port)
            try coder.error(&error)
            try coder.nullableString(&errorMessage)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    /// One before version 4.
    var coordinators: [Coordinator] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        if coder.version >= 4 {
            try coder.array(&coordinators)
        } else {
            var only = coordinators.first ?? Coordinator()
            try coder.error(&only.error)
            if coder.version >= 1 { try coder.nullableString(&only.errorMessage) }
            try coder.int32(&only.nodeId)
            try coder.string(&only.host)
            try coder.int32(&only.port)
            coordinators = [only]
        }
        try coder.tags()
    }
}

/// JoinGroup (key 11), versions 0–7.
struct JoinGroupRequest: WireStruct {
    struct GroupProtocol: WireStruct, Equatable {
        var name = ""
        var metadata = ByteBuffer()

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&name)
            try coder.bytes(&metadata)
            try coder.tags()
        }
    }

    var groupId = ""
    var sessionTimeoutMs: Int32 = 0
    var rebalanceTimeoutMs: Int32 = -1
    var memberId = ""
    var groupInstanceId: String?
    var protocolType = ""
    var protocols: [GroupProtocol] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.string(&groupId)
        try coder.int32(&sessionTimeoutMs)
        if coder.version >= 1 { try coder.int32(&rebalanceTimeoutMs) }
        try coder.string(&memberId)
        if coder.version >= 5 { try coder.nullableString(&groupInstanceId) }
        try coder.string(&protocolType)
        try coder.array(&protocols)
        try coder.tags()
    }
}

/// The answer to ``JoinGroupRequest``.
struct JoinGroupResponse: WireStruct {
    struct Member: WireStruct {
        var memberId = ""
        var groupInstanceId: String?
        var metadata = ByteBuffer()

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&memberId)
            if coder.version >= 5 { try coder.nullableString(&groupInstanceId) }
            try coder.bytes(&metadata)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var generation: Int32 = -1
    var protocolType: String?
    var protocolName: String?
    var leader = ""
    var memberId = ""
    var members: [Member] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 2 { try coder.int32(&throttleMs) }
        try coder.error(&error)
        try coder.int32(&generation)
        if coder.version >= 7 {
            try coder.nullableString(&protocolType)
            try coder.nullableString(&protocolName)
        } else {
            var name = protocolName ?? ""
            try coder.string(&name)
            protocolName = name
        }
        try coder.string(&leader)
        try coder.string(&memberId)
        try coder.array(&members)
        try coder.tags()
    }
}

/// SyncGroup (key 14), versions 0–5.
struct SyncGroupRequest: WireStruct {
    struct Assignment: WireStruct {
        var memberId = ""
        var assignment = ByteBuffer()

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&memberId)
            try coder.bytes(&assignment)
            try coder.tags()
        }
    }

    var groupId = ""
    var generation: Int32 = -1
    var memberId = ""
    var groupInstanceId: String?
    var protocolType: String?
    var protocolName: String?
    var assignments: [Assignment] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.string(&groupId)
        try coder.int32(&generation)
        try coder.string(&memberId)
        if coder.version >= 3 { try coder.nullableString(&groupInstanceId) }
        if coder.version >= 5 {
            try coder.nullableString(&protocolType)
            try coder.nullableString(&protocolName)
        }
        try coder.array(&assignments)
        try coder.tags()
    }
}

/// The answer to ``SyncGroupRequest``.
struct SyncGroupResponse: WireStruct {
    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var protocolType: String?
    var protocolName: String?
    var assignment = ByteBuffer()

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        try coder.error(&error)
        if coder.version >= 5 {
            try coder.nullableString(&protocolType)
            try coder.nullableString(&protocolName)
        }
        try coder.bytes(&assignment)
        try coder.tags()
    }
}

/// Heartbeat (key 12), versions 0–4.
struct HeartbeatRequest: WireStruct {
    var groupId = ""
    var generation: Int32 = -1
    var memberId = ""
    var groupInstanceId: String?

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.string(&groupId)
        try coder.int32(&generation)
        try coder.string(&memberId)
        if coder.version >= 3 { try coder.nullableString(&groupInstanceId) }
        try coder.tags()
    }
}

/// The answer to ``HeartbeatRequest``.
struct HeartbeatResponse: WireStruct {
    var throttleMs: Int32 = 0
    var error = ErrorCode.none

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        try coder.error(&error)
        try coder.tags()
    }
}

/// LeaveGroup (key 13), versions 0–4; from version 3 on several members may leave at once.
struct LeaveGroupRequest: WireStruct {
    struct Member: WireStruct {
        var memberId = ""
        var groupInstanceId: String?

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&memberId)
            try coder.nullableString(&groupInstanceId)
            try coder.tags()
        }
    }

    var groupId = ""
    /// One before version 3.
    var members: [Member] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.string(&groupId)
        if coder.version >= 3 {
            try coder.array(&members)
        } else {
            var only = members.first ?? Member()
            try coder.string(&only.memberId)
            members = [only]
        }
        try coder.tags()
    }
}

/// The answer to ``LeaveGroupRequest``.
struct LeaveGroupResponse: WireStruct {
    struct Member: WireStruct {
        var memberId = ""
        var groupInstanceId: String?
        var error = ErrorCode.none

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&memberId)
            try coder.nullableString(&groupInstanceId)
            try coder.error(&error)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var members: [Member] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        try coder.error(&error)
        if coder.version >= 3 { try coder.array(&members) }
        try coder.tags()
    }
}
