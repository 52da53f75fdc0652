import HTTPTypes
public import Hummingbird
public import Telemetry

/// What travels with a request through middleware and handler.
///
/// The identity fields are filled in by the listener before the router sees the request.
public struct APIContext: RequestContext {
    /// Hummingbird's own part: logger, matched route, path parameters.
    public var coreContext: CoreRequestContextStorage

    /// Identity of the request: the client's `X-Request-Id` when it is usable, else one of ours. In log lines, in the response
    /// and in problem documents.
    public var requestID: String

    /// The trace: a child of the client's `traceparent`, or a new one. Also ``Telemetry/TraceContext/current`` in the handler.
    public var trace: TraceContext

    /// Most body bytes that ``JSONRequest`` reads when it is not told otherwise.
    public var bodyLimit: Int

    /// Who acts, as established by an authenticating middleware; nil for anonymous requests.
    public var actor: String?

    /// Address of the peer, without port; nil when it is not an IP connection.
    public let peerAddress: String?

    /// Most body bytes when nothing else is said: 64 KiB.
    public static let defaultBodyLimit = 64 << 10

    /// Called by the server for each request.
    public init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        requestID = ""
        trace = TraceContext.root()
        bodyLimit = Self.defaultBodyLimit
        actor = nil
        peerAddress = source.channel.remoteAddress?.ipAddress
    }

    /// Same as ``bodyLimit``, for `request.decode`.
    public var maxUploadSize: Int { bodyLimit }

    /// `request.decode(as:context:)` is as strict as ``JSONRequest``.
    public var requestDecoder: StrictRequestDecoder { StrictRequestDecoder() }

    /// Values that handlers return are written by `StrictJSON`.
    public var responseEncoder: StrictResponseEncoder { StrictResponseEncoder() }
}

/// Decodes bodies with ``JSONRequest``.
public struct StrictRequestDecoder: RequestDecoder {
    /// Reads the body as `type`; throws ``Problem``.
    public func decode<T: Decodable>(
        _ type: T.Type,
        from request: Request,
        context: some RequestContext
    ) async throws -> T {
        try await JSONRequest.read(type, from: request, upTo: context.maxUploadSize)
    }
}

/// Encodes results with ``JSONResponse``.
public struct StrictResponseEncoder: ResponseEncoder {
    /// Writes `value` as JSON with status 200.
    public func encode(_ value: some Encodable, from request: Request, context: some RequestContext) throws -> Response
    {
        try JSONResponse.make(value)
    }
}
