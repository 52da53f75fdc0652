import Foundation
import HTTPKit
import StrictJSON

/// RabbitMQ's management interface, by which messages are published and queues deleted by hand.
struct ManagementAPI: Sendable {
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

    /// Makes a queue that also gets what is sent to an inbox.
    func tap(_ inbox: String, into queue: String) async throws(FaultRefusal) {
        let limits: JSONObject = ["x-max-length": 2000]
        _ = try await json(
            "PUT",
            "/queues/\(Self.host)/\(queue)",
            .object(["durable": true, "auto_delete": false, "arguments": .object(limits)])
        )
        _ = try await json(
            "POST",
            "/bindings/\(Self.host)/e/\(inbox)/q/\(queue)",
            .object(["routing_key": .string(inbox), "arguments": .object(JSONObject())])
        )
    }

    /// Takes the tap away.
    func untap(_ inbox: String, queue: String) async throws(FaultRefusal) {
        _ = try await json("DELETE", "/bindings/\(Self.host)/e/\(inbox)/q/\(queue)/\(inbox)")
    }

    /// Takes messages out of a queue.
    func take(_ count: Int, from queue: String) async throws(FaultRefusal) -> [CapturedMessage] {
        let answer = try await json(
            "POST",
            "/queues/\(Self.host)/\(queue)/get",
            .object(["count": .integer(Int64(count)), "ackmode": "ack_requeue_false", "encoding": "base64"])
        )
        return (answer.arrayValue ?? []).compactMap { message in
            guard let key = message["routing_key"]?.stringValue, let payload = message["payload"]?.stringValue,
                let properties = message["properties"]
            else { return nil }
            return CapturedMessage(inbox: key, payload: payload, properties: properties)
        }
    }

    /// Puts a message into an inbox, past the exchange, so that no tap sees it.
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

    private func json(
        _ method: String,
        _ path: String,
        _ body: JSONValue? = nil
    ) async throws(FaultRefusal) -> JSONValue {
        switch await send(method, path, body.map { StrictJSON.encode($0) }) {
        case .failure(let failure):
            throw FaultRefusal("RabbitMQ's management does not answer (\(failure.code.rawValue))")
        case .success(let reply):
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
