import Commerce
import Configuration
import Foundation
public import GRDB
import HTTPKit
import Hummingbird
import Kafka
import Logging
import Messaging
import PaymentCore
public import ServiceKit
import ServiceLifecycle

/// The payment service: takes commands from `payment.inbox`, makes the card gateway do each thing once, answers `order.inbox`, and tells
/// the topic `payments` what happened.
///
/// | variable | meaning |
/// |---|---|
/// | `WAYBILL_GATEWAY_URL` | the card gateway |
/// | `WAYBILL_GATEWAY_CALLBACK_SECRET_FILE` | the file with the secret that its callbacks are signed with |
/// | `WAYBILL_PAYMENT_GATEWAY_CONCURRENCY` | the most calls at the same time; default 64 |
/// | `WAYBILL_PAYMENT_WINDOW_SECONDS` | how long an authorization or capture may stay unresolved; default 12 |
public struct PaymentService: HostedService {
    public static let name = "payment"

    private let gatewayURL: String
    private let verifier: CallbackVerifier
    private let concurrency: Int
    private let policy: IntentPolicy

    public static var migrations: DatabaseMigrator { PaymentSchema.migrator }

    public init(configuration: ServiceConfiguration) throws {
        gatewayURL = try configuration.required("waybill.gateway.url")
        let file = try configuration.required("waybill.gateway.callback.secret.file")
        guard let secret = try? String(contentsOfFile: file, encoding: .utf8),
            let verifier = CallbackVerifier(secret: secret)
        else {
            throw ConfigurationFault(
                "The file \(file) that WAYBILL_GATEWAY_CALLBACK_SECRET_FILE names does not hold a secret of the form whsec_…."
            )
        }
        self.verifier = verifier
        concurrency = try configuration.integer("waybill.payment.gateway.concurrency", in: 1...1024, default: 64)
        policy = IntentPolicy(
            window: Int64(try configuration.integer("waybill.payment.window.seconds", in: 1...3600, default: 12)) * 1000
        )
    }

    public func activate(_ context: ServiceContext) async throws -> ServiceParts {
        let sender = HTTPSender()
        let gate = GatewayGate(clock: context.clock)
        let metrics = PaymentMetrics(registry: context.metrics, gate: gate, logger: context.logger)
        let runner = IntentRunner(
            store: context.store,
            gateway: HTTPCardGateway(sender: sender, baseURL: gatewayURL),
            gate: gate,
            policy: policy,
            clock: context.clock,
            observer: metrics,
            concurrency: concurrency
        )
        let recovered = try await runner.recover()
        if recovered > 0 {
            context.logger.info("asking the gateway what became of calls", metadata: ["intents": "\(recovered)"])
        }
        let queries = PaymentQueries(store: context.store)
        let callbacks = GatewayCallbacks(store: context.store, policy: policy) { runner.wake() }
        let routes = CallbackRoutes(callbacks: callbacks, verifier: verifier, clock: context.clock, observer: metrics)
        var parts = ServiceParts()
        parts.inbox = PaymentCommandHandler { runner.wake() }
        parts.publishes = [.amqp, .kafka]
        parts.topics = [KafkaNewTopic(Channels.paymentsTopic, partitions: Channels.partitionsPerTopic)]
        parts.background = [
            ClosureService("gateway-calls") {
                do {
                    try await runner.run()
                } catch {
                    await sender.shutdown()
                    throw error
                }
                await sender.shutdown()
            },
            ClosureService("payment-metrics") { try await metrics.sample(queries) },
        ]
        parts.publicRoutes = { routes.add(to: $0) }
        parts.operatorRoutes = { OperatorRoutes(queries: queries).add(to: $0) }
        return parts
    }
}
