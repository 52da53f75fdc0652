public import HTTPTypes
public import Hummingbird
public import StrictJSON

/// An error that an HTTP client is told about: a problem document, RFC 9457 (`application/problem+json`).
///
/// Programs switch on ``code`` (also the last part of ``type``); people read ``title`` and ``detail``. Nothing here may hold
/// secrets, stack traces or other people's data: all of it is sent. Throw it from handlers and middleware.
public struct Problem: Error, HTTPResponseError, Sendable, Hashable, CustomStringConvertible {
    /// One wrong field of the request.
    public struct Field: Sendable, Hashable {
        /// Where, as in `lines[3].quantity`; empty for the whole body.
        public var path: String
        /// Stable kind in kebab case.
        public var code: String
        /// One sentence.
        public var detail: String

        /// Creates a field.
        public init(path: String, code: String, detail: String) {
            self.path = path
            self.code = code
            self.detail = detail
        }
    }

    /// Status of the response.
    public var status: HTTPResponse.Status
    /// Stable kind in kebab case, such as `unknown-field`.
    public var code: String
    /// The kind in words; the same for each problem of this code.
    public var title: String
    /// What happened this time, in one or two sentences; may be empty.
    public var detail: String
    /// Which fields are wrong; at most ``maxFields`` are sent.
    public var fields: [Field]
    /// Further members of the document.
    public var extra: JSONObject
    /// Further headers, such as `Retry-After`.
    public var headers: HTTPFields

    /// Most fields that are sent.
    public static let maxFields = 50

    /// Content type of the document.
    public static let contentType = "application/problem+json"

    /// Creates a problem; without a title the status's reason phrase is used.
    public init(
        _ status: HTTPResponse.Status,
        code: String,
        title: String? = nil,
        detail: String = "",
        fields: [Field] = [],
        extra: JSONObject = [:],
        headers: HTTPFields = [:]
    ) {
        self.status = status
        self.code = code
        self.title = title ?? status.reasonPhrase
        self.detail = detail
        self.fields = fields
        self.extra = extra
        self.headers = headers
    }

    /// URI reference that names the kind: `/problems/<code>`.
    public var type: String { "/problems/\(code)" }

    /// The document. `instance` identifies this occurrence (the request's id).
    public func document(instance: String?) -> JSONValue {
        var object = extra
        object["type"] = .string(type)
        object["title"] = .string(title)
        object["status"] = .integer(Int64(status.code))
        object["code"] = .string(code)
        if !detail.isEmpty { object["detail"] = .string(detail) }
        if let instance, !instance.isEmpty { object["instance"] = .string(instance) }
        if !fields.isEmpty {
            object["fields"] = .array(
                fields.prefix(Self.maxFields).map {
                    ["path": .string($0.path), "code": .string($0.code), "detail": .string($0.detail)]
                }
            )
        }
        return .object(object)
    }

    /// The response with the document as its body.
    public func response(instance: String?) -> Response {
        var response = JSONResponse.make(document(instance: instance), status: status, contentType: Self.contentType)
        for field in headers { response.headers.append(field) }
        return response
    }

    /// The response with the document as its body.
    public func response(from request: Request, context: some RequestContext) throws -> Response {
        response(instance: (context as? APIContext)?.requestID)
    }

    /// `status code: detail`.
    public var description: String {
        "\(status.code) \(code)\(detail.isEmpty ? "" : ": " + detail)"
    }
}

extension Problem {
    /// 400: the request cannot be understood.
    public static func badRequest(_ code: String = "bad-request", _ detail: String, fields: [Field] = []) -> Problem {
        Problem(.badRequest, code: code, detail: detail, fields: fields)
    }

    /// 401 with a challenge.
    public static func unauthorized(_ detail: String = "A valid operator token is required.") -> Problem {
        Problem(.unauthorized, code: "unauthorized", detail: detail, headers: [.wwwAuthenticate: "Bearer"])
    }

    /// 403.
    public static func forbidden(_ detail: String) -> Problem { Problem(.forbidden, code: "forbidden", detail: detail) }

    /// 404.
    public static func notFound(_ detail: String = "There is nothing here.", code: String = "not-found") -> Problem {
        Problem(.notFound, code: code, detail: detail)
    }

    /// 405 with the methods that are allowed.
    public static func methodNotAllowed(allow: [String]) -> Problem {
        Problem(
            .methodNotAllowed,
            code: "method-not-allowed",
            detail: "This path does not answer to this method.",
            headers: [.allow: allow.joined(separator: ", ")]
        )
    }

    /// 409.
    public static func conflict(_ code: String = "conflict", _ detail: String) -> Problem {
        Problem(.conflict, code: code, detail: detail)
    }

    /// 413.
    public static func contentTooLarge(limit: Int) -> Problem {
        Problem(.contentTooLarge, code: "content-too-large", detail: "The body may have at most \(limit) bytes.")
    }

    /// 415.
    public static func unsupportedMediaType(
        _ detail: String = "The body must be application/json in UTF-8, not compressed."
    ) -> Problem {
        Problem(.unsupportedMediaType, code: "unsupported-media-type", detail: detail)
    }

    /// 422: understood, and not acceptable.
    public static func unprocessable(_ code: String, _ detail: String, fields: [Field] = []) -> Problem {
        Problem(.unprocessableContent, code: code, detail: detail, fields: fields)
    }

    /// 429 with the time after which a new attempt makes sense.
    public static func tooManyRequests(retryAfterSeconds: Int, _ detail: String = "Too many requests.") -> Problem {
        Problem(
            .tooManyRequests,
            code: "too-many-requests",
            detail: detail,
            headers: [.retryAfter: String(max(1, retryAfterSeconds))]
        )
    }

    /// 500, without a word about why.
    public static let internalError = Problem(
        .internalServerError,
        code: "internal-error",
        detail: "Something went wrong here; the request's id finds it in the logs."
    )

    /// 503 with the time after which a new attempt makes sense.
    public static func unavailable(
        _ code: String = "unavailable",
        _ detail: String,
        retryAfterSeconds: Int = 1
    ) -> Problem {
        Problem(
            .serviceUnavailable,
            code: code,
            detail: detail,
            headers: [.retryAfter: String(max(1, retryAfterSeconds))]
        )
    }

    /// What a client is told about a body that `StrictJSON` refused: 400 when it is not JSON, 413 when it is too large, else 422.
    public init(_ fault: JSONFault) {
        let field = Field(path: fault.path, code: fault.code.rawValue, detail: fault.sentence)
        switch fault.kind {
        case .malformed:
            self.init(
                .badRequest,
                code: "malformed-json",
                title: "Malformed JSON",
                detail: fault.sentence,
                fields: [field]
            )
        case .tooLarge:
            self.init(.contentTooLarge, code: "content-too-large", detail: fault.sentence)
        case .unacceptable:
            let place = fault.path.isEmpty ? "" : " (\(fault.path))"
            self.init(
                .unprocessableContent,
                code: fault.code.rawValue,
                title: "Unacceptable Body",
                detail: fault.sentence + place,
                fields: [field]
            )
        }
    }

    /// The problem that stands for a bare status, as of a router that found no route.
    init(bare status: HTTPResponse.Status) {
        switch status.code {
        case 404: self = .notFound()
        case 413: self.init(status, code: "content-too-large")
        case 500: self = .internalError
        default:
            let words = status.reasonPhrase.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
            self.init(status, code: words.isEmpty ? "status-\(status.code)" : words.joined(separator: "-"))
        }
    }
}
