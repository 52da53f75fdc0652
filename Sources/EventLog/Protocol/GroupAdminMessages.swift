import NIOCore

/// DescribeGroups (key 15), versions 0–5.
struct DescribeGroupsRequest: WireStruct {
    var groups: [String] = []
    var includeAuthorizedOperations = false

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.stringArray(&groups)
        if coder.version >= 3 { try coder.bool(&includeAuthorizedOperations) }
        try coder.tags()
    }
}

/// The answer to ``DescribeGroupsRequest``.
struct DescribeGroupsResponse: WireStruct {
    struct Group: WireStruct {
        var error = ErrorCode.none
        var groupId = ""
        var state = ""
        var protocolType = ""
        var protocolName = ""
        var members: [Member] = []
        var authorizedOperations = Int32.min

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.error(&error)
            try coder.string(&groupId)
            try coder.string(&state)
            try coder.string(&protocolType)
            try coder.string(&protocolName)
            try coder.array(&members)
            if coder.version >= 3 { try coder.int32(&authorizedOperations) }
            try coder.tags()
        }
    }

    struct Member: WireStruct {
        var memberId = ""
        var groupInstanceId: String?
        var clientId = ""
        var clientHost = ""
        var metadata = ByteBuffer()
        var assignment = ByteBuffer()

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&memberId)
            if coder.version >= 4 { try coder.nullableString(&groupInstanceId) }
            try coder.string(&clientId)
            try coder.string(&clientHost)
            try coder.bytes(&metadata)
            try coder.bytes(&assignment)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var groups: [Group] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        try coder.array(&groups)
        try coder.tags()
    }
}

/// ListGroups (key 16), versions 0–4.
struct ListGroupsRequest: WireStruct {
    var statesFilter: [String] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 4 { try coder.stringArray(&statesFilter) }
        try coder.tags()
    }
}

/// The answer to ``ListGroupsRequest``.
struct ListGroupsResponse: WireStruct {
    struct Group: WireStruct {
        var groupId = ""
        var protocolType = ""
        var state = ""

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&groupId)
            try coder.string(&protocolType)
            if coder.version >= 4 { try coder.string(&state) }
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var groups: [Group] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        if coder.version >= 1 { try coder.int32(&throttleMs) }
        try coder.error(&error)
        try coder.array(&groups)
        try coder.tags()
    }
}

/// DeleteGroups (key 42), versions 0–2.
struct DeleteGroupsRequest: WireStruct {
    var groups: [String] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.stringArray(&groups)
        try coder.tags()
    }
}

/// The answer to ``DeleteGroupsRequest``.
struct DeleteGroupsResponse: WireStruct {
    struct Result: WireStruct {
        var groupId = ""
        var error = ErrorCode.none

        mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
            try coder.string(&groupId)
            try coder.error(&error)
            try coder.tags()
        }
    }

    var throttleMs: Int32 = 0
    var results: [Result] = []

    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError) {
        try coder.int32(&throttleMs)
        try coder.array(&results)
        try coder.tags()
    }
}
