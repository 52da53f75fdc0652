import Foundation
import HTTPKit
import StrictJSON

/// RabbitMQ's management interface, by which messages are published and queues deleted by hand.
struct ManagementAPI: TapBroker {
    /// The virtual host of all queues.
    private static let host = "waybill"

    private let base: String
    private let authorization: String
    private let sender: HTTPSender

    /// - Throws: ``ChaosFailure`` when the run directory names no management interface.
    init(_ installation: Installation) throws(ChaosFailure) {
        let text = try installation.variable("RABBITMQ_MANAGEMENT_URL")
        guard let url = URLComponents(string: text), let user = url.user, let password = url.password,
            let host = url.host, let port = url.port
        else { throw ChaosFailure("RABBITMQ_MANAGEMENT_URL is not of the form http://user:password@host:port.") }
        base = "http://\(host):\(port)/api"
        authorization = "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
        sender = installation.sender
    }

    /// Whether it answers at all.
    func isAnswering() async -> Bool {
        if case .success(let reply) = await send("GET", "/vhosts/\(Self.host)?columns=name", nil, deadline: .seconds(2))
        {
            return reply.isSuccess
        }
        return false
    }

    /// Breaks every connection to the broker and returns how many there were.
    func closeConnections() async throws(FaultRefusal) -> Int {
        let list = try await json("GET", "/connections?columns=name")
        var closed = 0
        for name in (list.arrayValue ?? []).compactMap({ $0["name"]?.stringValue }) {
            if case .success(let reply) = await send("DELETE", "/connections/" + Self.escaped(name), nil),
                reply.isSuccess
            {
                closed += 1
            }
        }
        return closed
    }

    /// Deletes a queue with what is in it.
    func deleteQueue(_ name: String) async throws(FaultRefusal) {
        _ = try await json("DELETE", "/queues/\(Self.host)/\(Self.escaped(name))")
    }

    /// How many messages are in all queues, those out for handling included; `nil` when it does not answer.
    func messages() async -> Int64? {
        guard let queues = try? await json("GET", "/queues/\(Self.host)?columns=messages"), let list = queues.arrayValue
        else { return nil }
        return list.reduce(0) { $0 + ($1["messages"]?.integerValue ?? 0) }
    }

    func makeTap(_ queue: String, room: Int, refusesWhenFull: Bool) async throws(FaultRefusal) {
        let limits: JSONObject = [
            "x-max-length": .integer(Int64(room)), "x-overflow": refusesWhenFull ? "reject-publish" : "drop-head",
        ]
        _ = try await json(
            "PUT",
            "/queues/\(Self.host)/\(queue)",
            .object(["durable": true, "auto_delete": false, "arguments": .object(limits)])
        )
    }

    func removeTap(_ queue: String, ifEmpty: Bool) async throws(FaultRefusal) {
        _ = try await json("DELETE", "/queues/\(Self.host)/\(queue)?if-empty=\(ifEmpty)", isMissingFine: true)
    }

    func isBound(_ queue: String, to inbox: String) async throws(FaultRefusal) -> Bool {
        let bindings = try await json("GET", "/bindings/\(Self.host)/e/\(inbox)/q/\(queue)", isMissingFine: true)
        return bindings.arrayValue?.isEmpty == false
    }

    func bind(_ queue: String, to inbox: String) async throws(FaultRefusal) {
        _ = try await json(
            "POST",
            "/bindings/\(Self.host)/e/\(inbox)/q/\(queue)",
            .object(["routing_key": .string(inbox), "arguments": .object(JSONObject())])
        )
    }

    func unbind(_ queue: String, from inbox: String) async throws(FaultRefusal) {
        _ = try await json(
            "DELETE",
            "/bindings/\(Self.host)/e/\(inbox)/q/\(queue)/\(inbox)",
            isMissingFine: true
        )
    }

    func look(_ count: Int, into queue: String) async throws(FaultRefusal) -> [CapturedMessage] {
        let list = try await fetch(count, from: queue, mode: "ack_requeue_true")
        let messages = list.compactMap { message -> CapturedMessage? in
            guard let key = message["routing_key"]?.stringValue, let payload = message["payload"]?.stringValue,
                let properties = message["properties"]
            else { return nil }
            return CapturedMessage(inbox: key, payload: payload, properties: properties)
        }
        guard messages.count == list.count else { throw FaultRefusal("a message in \(queue) cannot be read") }
        return messages
    }

    func discard(_ count: Int, from queue: String) async throws(FaultRefusal) {
        _ = try await fetch(count, from: queue, mode: "ack_requeue_false")
    }

    private func fetch(_ count: Int, from queue: String, mode: String) async throws(FaultRefusal) -> [JSONValue] {
        let answer = try await json(
            "POST",
            "/queues/\(Self.host)/\(queue)/get",
            .object(["count": .integer(Int64(count)), "ackmode": .string(mode), "encoding": "base64"]),
            isMissingFine: true,
            // Longer than a broker stands still: a look that went on after we gave up would hide messages from the next.
            deadline: .seconds(30)
        )
        return answer.arrayValue ?? []
    }

    /// Puts a message into an inbox, past the exchange, so that no tap sees it. The broker has confirmed it then.
    func publish(_ message: CapturedMessage) async throws(FaultRefusal) {
        let answer = try await json(
            "POST",
            "/exchanges/\(Self.host)/amq.default/publish",
            .object([
                "properties": message.properties, "routing_key": .string(message.inbox),
                "payload": .string(message.payload), "payload_encoding": "base64",
            ])
        )
        guard answer["routed"]?.boolValue == true else {
            throw FaultRefusal("\(message.inbox) does not exist just now")
        }
    }

    /// - Parameter isMissingFine: whether `.null` is the answer when there is no such thing (404), instead of a refusal.
    private func json(
        _ method: String,
        _ path: String,
        _ body: JSONValue? = nil,
        isMissingFine: Bool = false,
        deadline: Duration = .seconds(5)
    ) async throws(FaultRefusal) -> JSONValue {
        switch await send(method, path, body.map { StrictJSON.encode($0) }, deadline: deadline) {
        case .failure(let failure):
            throw FaultRefusal("RabbitMQ's management does not answer (\(failure.code.rawValue))")
        case .success(let reply):
            if isMissingFine, reply.status == 404 { return .null }
            guard reply.isSuccess else { throw FaultRefusal("RabbitMQ's management answered \(reply.status)") }
            let limits = JSONLimits(maxBytes: 32 << 20, maxItems: 1_000_000, maxStringBytes: 4 << 20)
            return (try? StrictJSON.parse(reply.body, limits: limits)) ?? .null
        }
    }

    private func send(
        _ method: String,
        _ path: String,
        _ body: [UInt8]?,
        deadline: Duration = .seconds(5)
    ) async -> Result<HTTPReply, HTTPFailure> {
        await sender.send(
            method,
            url: base + path,
            headers: [("authorization", authorization), ("content-type", "application/json")],
            body: body,
            deadline: deadline,
            maxResponseBytes: 32 << 20
        )
    }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
}

/// A message as the broker shows it, ready to be published again.
struct CapturedMessage: Sendable, Hashable {
    var inbox: String
    /// Base64.
    var payload: String
    var properties: JSONValue
}

/// A fault that could not be done. The run goes on; the report counts it as skipped.
struct FaultRefusal: Error, Sendable {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
