import FaultProxy

/// The links that lead through a proxy, and the proxies.
struct Routes: Sendable {
    /// One link: who connects, to what.
    struct Route: Sendable {
        var from: String
        var to: String
        var framing: Framing
        /// The name of the server's port in the run directory; `nil` for our own subscribers.
        var port: String?

        var name: String { "\(from)→\(to)" }
        /// Who has to be well again once the link is.
        var suffers: String { Installation.services.contains(from) ? from : to }
    }

    static let all: [Route] =
        ["order", "payment", "inventory"].map { Route(from: $0, to: "rabbitmq", framing: .amqp, port: "amqp") }
        + Installation.services.map { Route(from: $0, to: "event-log", framing: .kafka, port: "event_log") }
        + [
            Route(from: "payment", to: "gateway", framing: .http, port: "http_gateway"),
            Route(from: "gateway", to: "payment", framing: .http, port: "http_payment"),
            Route(from: "clients", to: "order", framing: .http, port: "http_order"),
            Route(from: "notification", to: "subscribers", framing: .http, port: nil),
        ]

    private let proxies: [String: FaultProxy]

    /// Opens a proxy for each link.
    static func open(_ installation: Installation, subscribers: Int, seed: UInt64) async throws -> Routes {
        var proxies: [String: FaultProxy] = [:]
        for (index, route) in all.enumerated() {
            let port = try route.port.map { name throws(ChaosFailure) in try installation.port(name) } ?? subscribers
            let proxy = FaultProxy(name: route.name, port: port, framing: route.framing, seed: seed &+ UInt64(index))
            _ = try await proxy.start()
            proxies[route.name] = proxy
        }
        return Routes(proxies: proxies)
    }

    /// The proxy of a link.
    func proxy(_ name: String) throws(ChaosFailure) -> FaultProxy {
        guard let proxy = proxies[name] else { throw ChaosFailure("There is no link \(name).") }
        return proxy
    }

    /// Where the client's side of a link connects to.
    func port(_ from: String, _ to: String) throws(ChaosFailure) -> Int { try proxy("\(from)→\(to)").port }

    /// Takes every fault away.
    func heal() async {
        for proxy in proxies.values where proxy.fault != nil { await proxy.set(nil) }
    }

    func close() async {
        for proxy in proxies.values { await proxy.close() }
    }
}
