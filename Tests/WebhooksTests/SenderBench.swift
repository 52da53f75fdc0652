import DurableStore
import Foundation
import GRDB
import KitTestSupport
import Messaging
import StrictJSON
import Synchronization
import Testing

@testable import Webhooks

/// A receiver in memory: answers what it is told and keeps what it got.
final class ScriptedSender: WebhookSending {
    typealias Script = @Sendable (_ request: WebhookRequest, _ number: Int) async -> AttemptResult
    private let state = Mutex<[WebhookRequest]>([])
    private let script: Mutex<Script>

    init(_ script: @escaping Script) { self.script = Mutex(script) }

    var requests: [WebhookRequest] { state.withLock { $0 } }
    func set(_ script: @escaping Script) { self.script.withLock { $0 = script } }
    func interrupt() async {}

    func send(_ request: WebhookRequest) async -> WebhookExchange {
        let number = state.withLock { requests in
            requests.append(request)
            return requests.count
        }
        return WebhookExchange(result: await script.withLock { $0 }(request, number), address: IPAddress("127.0.0.1"))
    }
}

/// A store, a clock and a sender.
struct Bench: Sendable {
    let clock = ManualClock()
    let store: DurableStore
    let sender: ScriptedSender
    let dispatcher: WebhookDispatcher
    let administration: WebhookAdministration
    let queries: WebhookQueries
    let options: SenderOptions

    init(
        options: SenderOptions = SenderOptions(),
        configuration: DurableStoreConfiguration = DurableStoreConfiguration(path: nil),
        _ script: @escaping ScriptedSender.Script
    ) throws {
        var migrator = DatabaseMigrator()
        WebhookSchema.register(in: &migrator)
        store = try DurableStore(configuration, migrations: migrator, clock: clock)
        sender = ScriptedSender(script)
        self.options = options
        dispatcher = WebhookDispatcher(store: store, sender: sender, options: options, clock: clock)
        administration = WebhookAdministration(
            knownTypes: nil,
            policy: AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8") ?? [])
        ) {}
        queries = WebhookQueries(store: store)
    }

    func endpoint(
        _ change: @Sendable (inout EndpointSettings) -> Void = { _ in }
    ) async throws -> (WebhookEndpoint, WebhookSecret) {
        var settings = EndpointSettings(url: "http://127.0.0.1:9/hook")
        change(&settings)
        let made = settings
        return try await store.write { [administration] tx in
            let (endpoint, secret) = try administration.create(made, actor: "test", in: tx)
            return (endpoint, secret)
        }
    }

    func publish(_ id: String, subject: String = "s", type: String = "shop.order.placed") async throws -> Int {
        try await store.write { tx in
            try WebhookFanout {}.publish(
                WebhookEvent(
                    id: id,
                    source: "/shop",
                    type: type,
                    subject: subject,
                    time: tx.now,
                    sequence: 1,
                    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    data: ["n": 1]
                ),
                in: tx
            )
        }
    }

    func act(_ action: EndpointState.Action, _ id: String) async throws {
        _ = try await store.write { [administration] tx in try administration.act(action, on: id, actor: "test", in: tx)
        }
    }

    func deliveries(_ change: (inout WebhookQueries.Filter) -> Void = { _ in }) async throws -> [Delivery] {
        var filter = WebhookQueries.Filter()
        change(&filter)
        return try await queries.deliveries(filter, limit: 1000).reversed()
    }

    func attempts(_ delivery: Delivery) async throws -> [DeliveryAttempt] {
        try await queries.delivery(delivery.id)?.attempts.reversed() ?? []
    }

    func dead() async throws -> [DeadLetter] { try await store.deadLetters(DeadLetterFilter(state: nil), limit: 1000) }
}

func status(_ code: Int, _ headers: [(String, String)] = []) -> AttemptResult {
    .answered(AttemptAnswer(status: code, headers: headers.map { .init($0.0, $0.1) }))
}
