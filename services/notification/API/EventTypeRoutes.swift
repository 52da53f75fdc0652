import HTTPKit
import Hummingbird
import StrictJSON

/// `GET /v1/webhook-event-types` and `/v1/webhook-event-types/{type}`: what subscribers can have, with schemas and examples. Open to all:
/// it says nothing about anybody.
struct EventTypeRoutes: Sendable {
    func add(to router: Router<APIContext>) {
        router.get("/v1/webhook-event-types") { _, _ in
            JSONResponse.make(
                .object([
                    "items": .array(
                        EventTypeDocuments.types.map {
                            .object(["type": .string($0), "url": .string("/v1/webhook-event-types/" + $0)])
                        }
                    )
                ])
            )
        }
        router.get("/v1/webhook-event-types/{type}") { _, context in
            guard let type = context.parameters.get("type"), let document = try EventTypeDocuments.document(of: type)
            else { throw Problem.notFound("There is no such event type.", code: "unknown-event-type") }
            return JSONResponse.make(document)
        }
    }
}
