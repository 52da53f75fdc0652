import Foundation
import HTTPKit
import StrictJSON
import Terminal

/// Where everything is: read from the environment that `scripts/waybill` sets from `.run/env`.
struct Session: Sendable {
    private let environment: [String: String]
    private let sender: HTTPSender

    /// Services in the order in which lists show them.
    static let services = ["order", "payment", "inventory", "notification", "analytics"]

    init(connections: Int = 16) {
        environment = ProcessInfo.processInfo.environment
        var options = HTTPSender.Options()
        options.maxConnectionsPerHost = connections
        sender = HTTPSender(options: options)
    }

    /// A variable that must be there.
    func variable(_ name: String) throws(CommandEnd) -> String {
        guard let value = environment[name], !value.isEmpty else {
            throw .failed("\(name) is not set. Start Waybill with scripts/up.sh and call this through scripts/waybill.")
        }
        return value
    }

    /// The public address of a service.
    func url(of service: String) throws(CommandEnd) -> String {
        try variable("WAYBILL_\(service.uppercased())_URL")
    }

    /// The operators' address of a service.
    func operatorURL(of service: String) throws(CommandEnd) -> String {
        try variable("WAYBILL_\(service.uppercased())_OPERATOR_URL")
    }

    /// Sends a request without reading anything into the answer.
    func send(
        _ method: String,
        _ url: String,
        headers: [(String, String)] = [],
        body: [UInt8]? = nil,
        deadline: Duration = .seconds(15),
        maximum: Int = JSONLimits.answer.maxBytes
    ) async -> Result<HTTPReply, HTTPFailure> {
        var headers = headers
        if body != nil { headers.append(("content-type", "application/json")) }
        return await sender.send(
            method,
            url: url,
            headers: headers,
            body: body,
            deadline: deadline,
            maxResponseBytes: maximum
        )
    }

    /// Sends a request and reads the JSON of a good answer.
    /// - Throws: ``CommandEnd`` with the problem's own sentence: code 1 for 404 and 409, code 2 for the rest.
    func json(
        _ method: String,
        _ url: String,
        headers: [(String, String)] = [],
        body: JSONValue? = nil,
        limits: JSONLimits = .answer
    ) async throws(CommandEnd) -> JSONValue {
        let bytes = body.map { StrictJSON.encode($0) }
        switch await send(method, url, headers: headers, body: bytes, maximum: limits.maxBytes) {
        case .failure(let failure):
            throw .failed("\(url) cannot be reached (\(failure)). Is Waybill running? scripts/status.sh tells.")
        case .success(let reply):
            guard reply.isSuccess else { throw Session.end(reply) }
            do throws(JSONFault) {
                return reply.body.isEmpty ? .null : try StrictJSON.parse(reply.body, limits: limits)
            } catch {
                throw .failed("\(url) answered with something that is no JSON: \(error.sentence)")
            }
        }
    }

    /// The same on the operators' listener, with the token.
    func operatorJSON(
        _ method: String,
        _ service: String,
        _ path: String,
        body: JSONValue? = nil,
        limits: JSONLimits = .answer
    ) async throws(CommandEnd) -> JSONValue {
        let token = try variable("WAYBILL_TOKEN")
        return try await json(
            method,
            try operatorURL(of: service) + path,
            headers: [("authorization", "Bearer \(token)")],
            body: body,
            limits: limits
        )
    }

    /// Follows server-sent events; `onEvent` says whether to go on.
    func follow(
        _ url: String,
        after lastEventID: String? = nil,
        onEvent: @escaping @Sendable (ServerSentEvent) async -> Bool
    ) async throws(CommandEnd) {
        switch await sender.followEvents(url: url, lastEventID: lastEventID, onEvent: onEvent) {
        case .failure(let failure):
            throw .failed("\(url) cannot be followed (\(failure)).")
        case .success(.some(let reply)) where !reply.isSuccess:
            throw Session.end(reply)
        case .success:
            return
        }
    }

    /// Closes the connections; call before the command ends.
    func close() async { await sender.shutdown() }

    private static func end(_ reply: HTTPReply) -> CommandEnd {
        var sentence = "The answer was \(reply.status)."
        if let problem = try? StrictJSON.parse(reply.body, limits: .answer) {
            let fields = (problem["fields"]?.arrayValue ?? []).compactMap { field -> String? in
                guard let path = field["path"]?.stringValue, !path.isEmpty else { return nil }
                return "\(path): \(field["detail"]?.stringValue ?? "")"
            }
            let whole = problem["detail"]?.stringValue ?? problem["title"]?.stringValue ?? sentence
            // What is said of the fields says where; the whole only repeats it.
            sentence = fields.isEmpty ? whole : fields.joined(separator: "\n")
            if let code = problem["code"]?.stringValue { sentence += " [\(code)]" }
        }
        return CommandEnd(code: [404, 409].contains(reply.status) ? 1 : 2, sentence: sentence)
    }
}

extension JSONLimits {
    /// What our own services answer: larger than what they accept.
    static let answer = JSONLimits(maxBytes: 8 << 20, maxItems: 1_000_000, maxStringBytes: 4 << 20)
    /// A dead letter with its payload, which may be as large as the broker lets through.
    static let wholeLetter = JSONLimits(maxBytes: 128 << 20, maxItems: 100_000, maxStringBytes: 64 << 20)
}
