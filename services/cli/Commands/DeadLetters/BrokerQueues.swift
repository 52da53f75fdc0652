import Foundation
import StrictJSON
import Terminal

/// What RabbitMQ itself says about its queues.
enum BrokerQueues {
    /// One queue.
    struct Queue: Sendable {
        let name: String
        let messages: Int64
        let consumers: Int64
        /// Acknowledgements since the broker started; 0 before the first.
        let acknowledged: Int64
    }

    /// Every queue, by name; `nil` when the broker's management cannot be asked.
    static func all(_ session: Session) async -> [Queue]? {
        guard let text = try? session.variable("RABBITMQ_MANAGEMENT_URL"), var parts = URLComponents(string: text)
        else { return nil }
        let user = parts.user ?? "guest"
        let password = parts.password ?? "guest"
        parts.user = nil
        parts.password = nil
        guard let base = parts.string else { return nil }
        let credentials = Data("\(user):\(password)".utf8).base64EncodedString()
        let reply = try? await session.json(
            "GET",
            (base.hasSuffix("/") ? String(base.dropLast()) : base)
                + "/api/queues/\(escaped(virtualHost(session)))?columns=name,messages,consumers,message_stats.ack",
            headers: [("authorization", "Basic \(credentials)")]
        )
        guard let reply else { return nil }
        return (reply.arrayValue ?? []).compactMap { queue in
            queue["name"]?.stringValue.map { name in
                Queue(
                    name: name,
                    messages: queue["messages"]?.integerValue ?? 0,
                    consumers: queue["consumers"]?.integerValue ?? 0,
                    acknowledged: queue["message_stats"]?["ack"]?.integerValue ?? 0
                )
            }
        }.sorted { $0.name < $1.name }
    }

    /// Messages in each queue of dead letters, which are drained at once unless their service is down; empty when the
    /// broker's management cannot be asked.
    static func deadLetters(_ session: Session) async -> [(queue: String, messages: Int64)] {
        guard let queues = await all(session) else {
            Console.error("RabbitMQ's management cannot be asked; queues of dead letters are not counted.")
            return []
        }
        return queues.filter { $0.name.hasSuffix(".dead") }.map { ($0.name, $0.messages) }
    }

    private static func virtualHost(_ session: Session) -> String {
        guard let url = try? session.variable("AMQP_URL"), let path = URLComponents(string: url)?.path, path.count > 1
        else { return "/" }
        return String(path.dropFirst())
    }
}
