import Foundation
import Logging
import RabbitMQ
import Testing

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// The broker that the test script started.
///
/// - `AMQP_TEST_URL`: an administrator of a virtual host of that broker,
/// - `RABBITMQ_TEST_MANAGEMENT_URL`: its management with user and password,
/// - `RABBITMQ_TEST_SCRIPT`: `scripts/lib/rabbitmq.sh`, for tests that need a node of their own; found from this file if absent.
enum Broker {
    static let url = ProcessInfo.processInfo.environment["AMQP_TEST_URL"]
    static let managementURL = ProcessInfo.processInfo.environment["RABBITMQ_TEST_MANAGEMENT_URL"]
    static var isAvailable: Bool { url != nil }

    static func configuration(_ name: String) throws -> RabbitMQConfiguration {
        let url = try #require(url)
        return try configuration(url: url, name)
    }

    static func configuration(url: String, _ name: String) throws -> RabbitMQConfiguration {
        var configuration = try RabbitMQConfiguration(url: url)
        configuration.connectionName = name
        configuration.backoff = RabbitMQBackoff(base: .milliseconds(20), cap: .milliseconds(500))
        return configuration
    }

    /// A name that no other test has.
    static func uniqueName(_ purpose: String = #function) -> String {
        "test.\(purpose.prefix { $0 != "(" }).\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    }

    static let logger: Logger = {
        var logger = Logger(label: "rabbitmq.component")
        logger.logLevel =
            ProcessInfo.processInfo.environment["LOG_LEVEL"].flatMap { Logger.Level(rawValue: $0) } ?? .critical
        return logger
    }()
}

/// An inbox with its own publisher, administration and names; removed at the end.
struct Fixture {
    let configuration: RabbitMQConfiguration
    let names: RabbitMQTopology.InboxNames
    let topology: RabbitMQTopology
    let administration: RabbitMQAdministration

    init(
        _ name: String,
        url: String? = Broker.url,
        retryLevels: [RabbitMQTopology.RetryLevel] = [],
        maximumLength: Int = 100_000
    ) throws {
        let url = try #require(url)
        configuration = try Broker.configuration(url: url, name)
        names = RabbitMQTopology.InboxNames(inbox: name)
        topology = .inbox(name, retryLevels: retryLevels, maximumLength: maximumLength)
        administration = RabbitMQAdministration(configuration: configuration, logger: Broker.logger)
    }

    func publisher(
        _ adjust: (inout RabbitMQPublisher.Options) -> Void = { _ in },
        configuration: RabbitMQConfiguration? = nil
    ) -> RabbitMQPublisher {
        var options = RabbitMQPublisher.Options()
        options.topology = topology
        adjust(&options)
        return RabbitMQPublisher(
            configuration: configuration ?? self.configuration,
            options: options,
            logger: Broker.logger
        )
    }

    /// - Parameter withoutTopology: declares nothing, and so mends nothing.
    func consumer(
        queue: String? = nil,
        prefetch: UInt16 = 100,
        withoutTopology: Bool = false
    ) -> RabbitMQConsumer {
        RabbitMQConsumer(
            configuration: configuration,
            options: .init(
                subscriptions: [.init(queue: queue ?? names.inbox, prefetch: prefetch)],
                topology: withoutTopology ? .empty : topology
            ),
            logger: Broker.logger
        )
    }

    func message(_ id: Int, body: [UInt8] = Array("hello".utf8)) -> RabbitMQMessage {
        RabbitMQMessage(
            exchange: names.inbox,
            routingKey: names.inbox,
            properties: RabbitMQProperties(messageID: "\(id)"),
            body: body
        )
    }

    func depth(_ queue: String? = nil) async throws -> Int? {
        try await administration.depth(ofQueue: queue ?? names.inbox)?.messages
    }

    func remove() async {
        for queue in topology.queues { try? await administration.delete(queue: queue.name) }
    }
}

/// Runs publishers' or consumers' lifetimes around a body, and ends them with it.
func running<Result: Sendable>(
    _ lifetimes: [@Sendable () async -> Void],
    _ body: () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for lifetime in lifetimes { group.addTask { await lifetime() } }
        defer { group.cancelAll() }
        return try await body()
    }
}

/// Fails after `limit` instead of waiting for ever.
func within<Result: Sendable>(
    _ limit: Duration,
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw TimedOut(limit: limit)
        }
        defer { group.cancelAll() }
        let first = try await group.next()
        return try #require(first)
    }
}

struct TimedOut: Error { let limit: Duration }

/// Asks again until the answer is as wanted. For facts that a broker counts asynchronously and does not announce.
func eventually(_ limit: Duration = .seconds(20), _ condition: @escaping @Sendable () async throws -> Bool) async throws
{
    try await within(limit) {
        while !(try await condition()) { try await Task.sleep(for: .milliseconds(20)) }
    }
}

/// Waits for a state that satisfies the condition.
func state(
    of states: AsyncStream<RabbitMQConnectionState>,
    _ limit: Duration = .seconds(20),
    where condition: @escaping @Sendable (RabbitMQConnectionState) -> Bool
) async throws {
    try await within(limit) {
        for await state in states where condition(state) { return }
        throw TimedOut(limit: limit)
    }
}

/// The part of RabbitMQ's management interface that the tests need.
struct Management {
    let base: URL

    init(_ text: String? = Broker.managementURL) throws {
        let text = try #require(text)
        base = try #require(URL(string: text))
    }

    private func request(_ method: String, _ path: String) async throws -> (Data, Int) {
        var components = try #require(URLComponents(url: base, resolvingAgainstBaseURL: false))
        let credentials = "\(components.user ?? ""):\(components.password ?? "")"
        components.user = nil
        components.password = nil
        components.percentEncodedPath = path
        var request = URLRequest(url: try #require(components.url))
        request.httpMethod = method
        request.setValue("Basic \(Data(credentials.utf8).base64EncodedString())", forHTTPHeaderField: "Authorization")
        let (data, response) = try await URLSession.shared.data(for: request)
        return (data, (response as? HTTPURLResponse)?.statusCode ?? 0)
    }

    /// Closes every connection with this client-given name; returns how many there were.
    func closeConnections(named name: String) async throws -> Int {
        let (data, _) = try await request("GET", "/api/connections")
        let all = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        var closed = 0
        for connection in all where connection["user_provided_name"] as? String == name {
            let id = try #require(connection["name"] as? String)
            let encoded = try #require(id.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
            let (_, status) = try await request("DELETE", "/api/connections/\(encoded)")
            if status == 204 { closed += 1 }
        }
        return closed
    }
}

extension [RabbitMQPublishResult] {
    var areAllConfirmed: Bool { allSatisfy { $0.isConfirmed } }
}
