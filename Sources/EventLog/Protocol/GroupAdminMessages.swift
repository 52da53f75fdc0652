import NIOCore

/// DescribeGroups (key 15), versions 0–5.
struct DescribeGroupsRequest: WireStruct {
    var groups: [String] = []
    var includeAuthorizedOperations = false

    static let fields: Fields = [.init(\.groups), .init(\.includeAuthorizedOperations, since: 3)]
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
        var authorizedOperations = noAuthorizedOperations

        static let fields: Fields = [
            .init(\.error), .init(\.groupId), .init(\.state), .init(\.protocolType), .init(\.protocolName),
            .init(\.members), .init(\.authorizedOperations, since: 3),
        ]
    }

    struct Member: WireStruct {
        var memberId = ""
        var groupInstanceId: String?
        var clientId = ""
        var clientHost = ""
        var metadata = ByteBuffer()
        var assignment = ByteBuffer()

        static let fields: Fields = [
            .init(\.memberId), .init(\.groupInstanceId, since: 4), .init(\.clientId), .init(\.clientHost),
            .init(\.metadata), .init(\.assignment),
        ]
    }

    var throttleMs: Int32 = 0
    var groups: [Group] = []

    static let fields: Fields = [.init(\.throttleMs, since: 1), .init(\.groups)]
}

/// ListGroups (key 16), versions 0–4.
struct ListGroupsRequest: WireStruct {
    var statesFilter: [String] = []

    static let fields: Fields = [.init(\.statesFilter, since: 4)]
}

/// The answer to ``ListGroupsRequest``.
struct ListGroupsResponse: WireStruct {
    struct Group: WireStruct {
        var groupId = ""
        var protocolType = ""
        var state = ""

        static let fields: Fields = [.init(\.groupId), .init(\.protocolType), .init(\.state, since: 4)]
    }

    var throttleMs: Int32 = 0
    var error = ErrorCode.none
    var groups: [Group] = []

    static let fields: Fields = [.init(\.throttleMs, since: 1), .init(\.error), .init(\.groups)]
}

/// DeleteGroups (key 42), versions 0–2.
struct DeleteGroupsRequest: WireStruct {
    var groups: [String] = []

    static let fields: Fields = [.init(\.groups)]
}

/// The answer to ``DeleteGroupsRequest``.
struct DeleteGroupsResponse: WireStruct {
    struct Result: WireStruct {
        var groupId = ""
        var error = ErrorCode.none

        static let fields: Fields = [.init(\.groupId), .init(\.error)]
    }

    var throttleMs: Int32 = 0
    var results: [Result] = []

    static let fields: Fields = [.init(\.throttleMs), .init(\.results)]
}
