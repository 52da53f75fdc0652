/// What a server answered.
public struct HTTPReply: Sendable, Hashable {
    /// The status code. Redirects are replies like any other: they are not followed.
    public var status: Int
    /// Headers in order; names in lowercase.
    public var headers: [(name: String, value: String)]
    /// The body, as it was sent (never decompressed).
    public var body: [UInt8]

    /// Creates a reply.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers.map { ($0.name.lowercased(), $0.value) }
        self.body = body
    }

    /// The first header of this name, whatever its case.
    public func header(_ name: String) -> String? {
        let name = name.lowercased()
        return headers.first { $0.name == name }?.value
    }

    /// Whether the status is 200–299.
    public var isSuccess: Bool { (200..<300).contains(status) }

    /// Compares all parts.
    public static func == (left: HTTPReply, right: HTTPReply) -> Bool {
        left.status == right.status && left.body == right.body
            && left.headers.elementsEqual(right.headers) { $0.name == $1.name && $0.value == $1.value }
    }

    /// Hashes status and body.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(status)
        hasher.combine(body)
    }
}
