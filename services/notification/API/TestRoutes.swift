import DurableStore
import HTTPKit
import Hummingbird
import Messaging
import NotificationCore
import StrictJSON
import Telemetry
import Webhooks

extension WebhookRoutes {
    /// Adds what sends signed example events, marked as tests: to one endpoint, or to all that would get such an event.
    func addTests(to router: Router<APIContext>) {
        router.post("/operator/webhooks/endpoints/{id}/test") { request, context in
            let event = try await example(request, context)
            let id = try identifier(context)
            let delivery = try await unit { tx in try administration.test(id, event(tx), in: tx) }
            return JSONResponse.make(.object(WebhookDocuments.delivery(delivery)), status: .accepted)
        }
        router.post("/operator/webhooks/test") { request, context in
            let event = try await example(request, context)
            let deliveries = try await unit { tx in try administration.test(event(tx), in: tx) }
            return JSONResponse.make(
                .object(["items": .array(deliveries.map { .object(WebhookDocuments.delivery($0)) })]),
                status: .accepted
            )
        }
    }

    /// Asks for a test event: its type, `order.completed` unless given, and what differs from the example, by place.
    private struct TestBody: Decodable, Sendable {
        let type: String?
        let overrides: JSONValue?
    }

    /// The event that a request asks for; its id and time are the unit's.
    private func example(
        _ request: Request,
        _ context: APIContext
    ) async throws -> @Sendable (Transaction) -> WebhookEvent {
        let body = try await JSONRequest.read(TestBody.self, from: request)
        let pattern = EventCatalog.pattern(body.type ?? "order.completed")
        let known = EventCatalog.types.first { EventTypePattern(pattern)?.matches($0) ?? false }
        let type = known ?? body.type ?? ""
        let data = try EventTypeDocuments.data(ofType: type, overrides: body.overrides?.objectValue ?? [:])
        let trace = context.trace.traceparent
        return { tx in
            WebhookEvent(
                id: tx.newID(),
                source: NotificationService.source,
                type: type,
                subject: ExampleEvents.subject,
                time: tx.now,
                traceparent: trace,
                data: data
            )
        }
    }
}
