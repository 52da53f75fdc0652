import Foundation
import StrictJSON

/// What RabbitMQ itself says about queues of dead letters: they are drained at once, unless their service is down.
enum BrokerQueues {
    /// Messages in each queue of dead letters; empty when the broker's management cannot be asked.
    static func deadLetters(_ session: Session) async -> [(queue: String, messages: Int64)] {
        guard let text = try? session.variable("RABBITMQ_MANAGEMENT_URL"), var parts = URLComponents(string: text)
        else {
            return []
        }
        let user = parts.user ?? "guest"
        let password = parts.password ?? "guest"
        parts.user = nil
        parts.password = nil
        guard let base = parts.string else { return [] }
        let credentials = Data("\(user):\(password)".utf8).base64EncodedString()
        let reply = try? await session.json(
            "GET",
            (base.hasSuffix("/") ? String(base.dropLast()) : base)
                + "/api/queues/\(escaped(virtualHost(session)))?columns=name,messages",
            headers: [("authorization", "Basic \(credentials)")]
        )
        guard let reply else {
            Console.error("RabbitMQ's management cannot be asked; queues of dead letters are not counted.")
            return []
        }
        return (reply.arrayValue ?? []).compactMap { queue in
            guard let name = queue["name"]?.stringValue, name.hasSuffix(".dead") else { return nil }
            return (name, queue["messages"]?.integerValue ?? 0)
        }.sorted { $0.queue < $1.queue }
    }

    private static func virtualHost(_ session: Session) -> String {
        guard let url = try? session.variable("AMQP_URL"), let path = URLComponents(string: url)?.path, path.count > 1
        else { return "/" }
        return String(path.dropFirst())
    }
}
