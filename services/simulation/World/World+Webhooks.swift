import Commerce
import DurableStore
import Messaging
import NotificationCore
import Simulation
import Webhooks

/// Notification's way to the subscribers.
struct SubscriberPort: WebhookSending, @unchecked Sendable {
    unowned let world: World

    func send(_ request: WebhookRequest) async -> WebhookExchange { await world.arrived(request) }
    func interrupt() async {}
}

/// Sees what becomes of deliveries.
struct WebhookWatch: WebhookObserver, @unchecked Sendable {
    unowned let world: World

    func attempted(_ observation: AttemptObservation) {
        if observation.outcome == "delivered", observation.number > 1 { world.reach(.webhookRetried) }
        if observation.deadLettered { world.reach(.webhookExhausted) }
        if observation.disabled == .gone { world.reach(.subscriberGone) }
    }

    func interrupted(_ endpointID: String, count: Int) {}

    func storeFailed(_ failure: Failure) { world.storeFailed(world.node(.notification), failure) }
}

extension World {
    /// Subscribes the two subscribers of the world: one to the ends of orders, one, in order, to what happens to money.
    func subscribe() async throws {
        guard let store = node(.notification).instance?.store else { return }
        let types: [(url: String, types: [String], ordering: EndpointSettings.Ordering)] = [
            ("https://ends.example/hook", ["waybill.order.completed.*", "waybill.order.cancelled.*"], .none),
            ("https://money.example/hook", ["waybill.payment.captured.*", "waybill.payment.refunded.*"], .key),
        ]
        let administration = WebhookAdministration(knownTypes: EventCatalog.types, policy: AddressPolicy()) {}
        for (index, one) in types.enumerated() {
            let secret = try WebhookSecret(key: Array(repeating: UInt8(index + 1), count: 24))
            subscribers.subscriptions.append(
                .init(url: one.url, types: one.types, ordering: one.ordering, secret: secret)
            )
            var settings = EndpointSettings(url: one.url)
            settings.eventTypes = one.types
            settings.ordering = one.ordering
            let wanted = settings
            _ = try await store.write { tx in
                _ = try administration.create(wanted, secret: secret, actor: "simulation", in: tx)
            }
        }
    }

    /// A request reaches a subscriber, or does not.
    fileprivate func arrived(_ request: WebhookRequest) async -> WebhookExchange {
        let url = request.url.description
        note("webhook to \(url)")
        if hit(.callOverlaps) { await overlap(random.within(1...4)) }
        if hit(.crashDuringWebhook) {
            reach(.diedDuringWebhook)
            kill(node(.notification))
        }
        if hit(.receiverTimeout), random.chance(500) {
            return WebhookExchange(result: .failed(.timeout, detail: "no connection"))
        }
        let status: Int
        if hit(.receiverError) {
            status = 500
        } else if hit(.receiverGone) {
            status = 410
        } else if hit(.receiverBusy) {
            status = 429
        } else {
            status = 204
        }
        take(request, url: url, status: status)
        if hit(.receiverAnswerLost) {
            return WebhookExchange(result: .failed(.reset, detail: "the answer was lost"))
        }
        let headers = status == 429 ? [AttemptAnswer.Header("retry-after", "2")] : []
        return WebhookExchange(result: .answered(AttemptAnswer(status: status, headers: headers)))
    }

    /// W2: the same bytes under the same id at every attempt, signed by a key that the subscriber knows.
    private func take(_ request: WebhookRequest, url: String, status: Int) {
        let id = request.headers.first { $0.name == "webhook-id" }?.value ?? ""
        guard let subscription = subscribers.subscriptions.first(where: { $0.url == url }) else {
            return violate("W4", "a webhook was sent to \(url), where nobody subscribed")
        }
        let verifier = WebhookVerifier(secrets: [subscription.secret], tolerance: .seconds(100 * 86_400))
        var isVerified = true
        if case .failure(let rejection) = verifier.verify(headers: request.headers, body: request.body, at: time.now) {
            isVerified = false
            violate("W2", "webhook \(id) cannot be verified: \(rejection)")
        }
        let (again, differs) = subscribers.note(
            .init(url: url, id: id, body: request.body, isVerified: isVerified, status: status)
        )
        if again { reach(.webhookTwice) }
        if differs { violate("W2", "webhook \(id) had other bytes before") }
    }
}
