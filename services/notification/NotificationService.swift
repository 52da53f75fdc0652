import Commerce
import Configuration
public import GRDB
import HTTPKit
import Hummingbird
import Kafka
import Logging
import NotificationCore
public import ServiceKit
import ServiceLifecycle
import Webhooks

/// The notification service: passes events on to subscribers, as signed webhooks.
///
/// | variable | meaning |
/// |---|---|
/// | `WAYBILL_WEBHOOK_ALLOW_CIDRS` | addresses that may be called although they are private: `127.0.0.0/8,::1/128`; default none |
/// | `WAYBILL_WEBHOOK_HTTPS_ONLY` | `true` refuses `http`; default `false` |
/// | `WAYBILL_WEBHOOK_CONCURRENCY` | the most requests at the same time; default 1024 |
/// | `WAYBILL_WEBHOOK_SCHEDULE_MS` | delays after failures in milliseconds, separated by commas; default 5 s … 24 h |
/// | `WAYBILL_WEBHOOK_BREAKER_MS` | how long a breaker is open the first time; default 60000 |
/// | `WAYBILL_WEBHOOK_DISABLE_AFTER` | deliveries given up in a row after which an endpoint is disabled; default 100 |
/// | `WAYBILL_WEBHOOK_RETENTION_DAYS` | how long finished deliveries are kept; default 30 |
/// | `WAYBILL_WEBHOOK_ORIGIN` | who asks receivers for their consent, a host name; default `waybill.local` |
/// | `WAYBILL_WEBHOOK_CONSENT_URL` | where they may agree later, ending in `/v1/webhook-consents/`; default none |
/// | `WAYBILL_WEBHOOK_ORDERS_URL` | where subscribers can read orders, ending in `/v1/orders/`; goes into thin payloads; default none |
public struct NotificationService: HostedService {
    public static let name = "notification"
    public static var migrations: DatabaseMigrator { NotificationSchema.migrations }
    /// Rows are written and looked at again within moments; what is older serves nobody but people.
    public static var storeCacheBytes: Int { 8 << 20 }

    /// `source` of the sender's own events, and of tests.
    static let source = "/waybill/notification"

    private let policy: AddressPolicy
    private let options: SenderOptions
    private let retention: Duration
    private let ordersURL: String?

    public init(configuration: ServiceConfiguration) throws {
        guard
            let blocks = AddressPolicy.blocks(
                configuration.reader.string(forKey: "waybill.webhook.allow.cidrs", default: "")
            )
        else {
            throw ConfigurationFault(
                "WAYBILL_WEBHOOK_ALLOW_CIDRS must be a list of address blocks such as 127.0.0.0/8,::1/128."
            )
        }
        policy = AddressPolicy(
            allowed: blocks,
            requiresTLS: configuration.reader.bool(forKey: "waybill.webhook.https.only", default: false)
        )
        var options = SenderOptions()
        options.concurrency = try configuration.integer("waybill.webhook.concurrency", in: 2...8192, default: 1024)
        options.breaker.firstPause = .milliseconds(
            try configuration.integer("waybill.webhook.breaker.ms", in: 1...86_400_000, default: 60_000)
        )
        if let text = configuration.reader.string(forKey: "waybill.webhook.schedule.ms") {
            let delays = text.split(separator: ",").map { Int64($0) }
            guard !delays.contains(nil), let schedule = RetrySchedule(delays: delays.compactMap { $0 }) else {
                throw ConfigurationFault("WAYBILL_WEBHOOK_SCHEDULE_MS must be milliseconds separated by commas.")
            }
            options.schedule = schedule
        }
        options.disableAfterExhausted = try configuration.integer(
            "waybill.webhook.disable.after",
            in: 1...1_000_000,
            default: options.disableAfterExhausted
        )
        options.origin = configuration.reader.string(forKey: "waybill.webhook.origin", default: options.origin)
        options.source = Self.source
        options.consentURL = try Self.url(configuration, "waybill.webhook.consent.url")
        self.options = options
        ordersURL = try Self.url(configuration, "waybill.webhook.orders.url")
        retention = .seconds(
            86_400 * (try configuration.integer("waybill.webhook.retention.days", in: 1...3650, default: 30))
        )
    }

    /// Once the service is up and quiet; then waits for the end.
    private static func giveStartupTextBack() async throws {
        try await Task.sleep(for: .seconds(5))
        StartupText.release()
        while true { try await Task.sleep(for: .seconds(86_400)) }
    }

    /// A base to which something is appended; `nil` when it is not set.
    private static func url(
        _ configuration: ServiceConfiguration,
        _ key: ConfigKey
    ) throws(ConfigurationFault) -> String? {
        guard let text = configuration.reader.string(forKey: key), !text.isEmpty else { return nil }
        guard text.hasSuffix("/"), (try? WebhookURL(text)) != nil else {
            throw ConfigurationFault(
                "\(key.components.joined(separator: "_").uppercased()) must be an http or https URL that ends in a slash."
            )
        }
        return text
    }

    public func activate(_ context: ServiceContext) async throws -> ServiceParts {
        let metrics = NotificationMetrics(registry: context.metrics, logger: context.logger)
        let client = WebhookClient(policy: policy)
        let dispatcher = WebhookDispatcher(
            store: context.store,
            sender: client,
            options: options,
            clock: context.clock,
            observer: metrics
        )
        let interrupted = try await dispatcher.recover()
        if interrupted > 0 {
            context.logger.info("Interrupted deliveries are sent again.", metadata: ["count": "\(interrupted)"])
        }
        let queries = WebhookQueries(store: context.store)
        let retention = WebhookRetention(store: context.store, keep: retention)
        let handshakes = WebhookHandshakes(
            store: context.store,
            sender: client,
            options: options,
            clock: context.clock
        ) { dispatcher.wake() }
        let routes = WebhookRoutes(
            store: context.store,
            queries: queries,
            dispatcher: dispatcher,
            policy: policy,
            clock: context.clock
        )
        let clock = context.clock
        var parts = ServiceParts()
        parts.subscriptions = [
            EventSubscription(
                topics: EventReader.forwarder.topics,
                handler: EventForwarder(fanout: WebhookFanout { dispatcher.wake() }, ordersURL: ordersURL)
            )
        ]
        parts.topics = EventReader.forwarder.topics.map { KafkaNewTopic($0, partitions: Channels.partitionsPerTopic) }
        parts.background = [
            ClosureService("webhook metrics") { try await metrics.sample(queries, dispatcher, clock) },
            ClosureService("webhook retention") { try await retention.run() },
            ClosureService("webhook recoveries") { try await routes.recoveries.run() },
            ClosureService("webhook handshakes") { try await handshakes.run() },
            ClosureService("webhooks") { try await dispatcher.run() },
            ClosureService("memory") { try await Self.giveStartupTextBack() },
        ]
        parts.publicRoutes = { router in
            ConsentRoutes(handshakes: handshakes).add(to: router)
            EventTypeRoutes().add(to: router)
        }
        parts.operatorPages = { ConsolePage.add(to: $0) }
        parts.letterReturns = ["http": DeliveryReturn(administration: routes.administration)]
        parts.operatorRoutes = { routes.add(to: $0) }
        return parts
    }
}
