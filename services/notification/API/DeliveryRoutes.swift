import DurableStore
import HTTPKit
import HTTPTypes
import Hummingbird
import Logging
import Messaging
import StrictJSON
import Webhooks

extension WebhookRoutes {
    /// Adds lists of deliveries, one delivery with its attempts, and what can be done to it.
    func addDeliveries(to router: Router<APIContext>) {
        router.get("/operator/webhooks/deliveries") { request, _ in
            let (cursor, limit) = try page(request)
            var filter = try await filter(request)
            if !cursor.isEmpty {
                guard let before = Int64(cursor) else {
                    throw Problem.badRequest("cursor-invalid", "The cursor is the “next” of the page before.")
                }
                filter.before = before
            }
            let deliveries = try await queries.deliveries(filter, limit: limit + 1)
            let next = deliveries.count > limit ? String(deliveries[limit - 1].seq) : nil
            return JSONResponse.make(
                .object([
                    "items": .array(deliveries.prefix(limit).map { .object(WebhookDocuments.delivery($0)) }),
                    "next": WebhookDocuments.text(next),
                ])
            )
        }
        router.get("/operator/webhooks/deliveries/{id}") { _, context in
            guard let (delivery, message, attempts) = try await queries.delivery(try identifier(context)) else {
                throw Self.unknown
            }
            var object = WebhookDocuments.delivery(delivery)
            object["sequence"] = WebhookDocuments.integer(message?.sequence)
            object["body"] = WebhookDocuments.text(
                message.map { String(decoding: $0.content(as: delivery.form).body, as: UTF8.self) }
            )
            object["attemptLog"] = .array(attempts.map(WebhookDocuments.attempt))
            return JSONResponse.make(.object(object))
        }
        let acts: [(String, HTTPResponse.Status, @Sendable (String, Transaction) throws -> Delivery)] = [
            ("resend", .accepted, { [administration] in try administration.resend($0, in: $1) }),
            ("redrive", .accepted, { [administration] in try administration.redrive($0, in: $1) }),
            ("skip", .ok, { [administration] in try administration.skip($0, in: $1) }),
        ]
        for (name, status, act) in acts {
            router.post("/operator/webhooks/deliveries/{id}/\(name)") { _, context in
                let id = try identifier(context)
                let delivery = try await unit { tx in try act(id, tx) }
                return JSONResponse.make(.object(WebhookDocuments.delivery(delivery)), status: status)
            }
        }
    }

    /// Adds the erasure of payloads.
    func addMessages(to router: Router<APIContext>) {
        router.delete("/operator/webhooks/messages/{id}/payload") { _, context in
            let (id, actor) = (try identifier(context), actor(context))
            let ended = try await unit { tx in try administration.erase(id, actor: actor, in: tx) }
            context.logger.notice("A payload was erased.", metadata: ["webhook": "\(id)", "actor": "\(actor)"])
            return JSONResponse.make(.object(["webhookId": .string(id), "cancelled": .integer(Int64(ended))]))
        }
    }

    private func filter(_ request: Request) async throws -> WebhookQueries.Filter {
        let parameters = request.uri.queryParameters
        func text(_ name: String) -> String? { parameters[Substring(name)].map(String.init) }
        var filter = WebhookQueries.Filter()
        if let name = text("endpoint") {
            guard let endpoint = try await queries.endpoint(name) else { throw Self.unknown }
            filter.endpointID = endpoint.id
        }
        if let name = text("state") {
            guard let state = Delivery.State(rawValue: name) else {
                throw Problem.badRequest(
                    "state-invalid",
                    "The state is one of " + Delivery.State.allCases.map(\.rawValue).joined(separator: ", ") + "."
                )
            }
            filter.state = state
        }
        filter.messageID = text("webhookId")
        filter.type = text("type")
        filter.subject = text("subject")
        filter.code = text("code")
        filter.status = try number(text("status"), "status")
        filter.statusClass = try number(text("statusClass"), "statusClass")
        filter.since = try time(text("since"), "since")
        filter.until = try time(text("until"), "until")
        return filter
    }

    private func number(_ text: String?, _ name: String) throws(Problem) -> Int? {
        guard let text else { return nil }
        guard let number = Int(text), (1...999).contains(number) else {
            throw Problem.badRequest("\(name)-invalid", "\(name) is a number.")
        }
        return number
    }

    private func time(_ text: String?, _ name: String) throws(Problem) -> Timestamp? {
        guard let text else { return nil }
        guard let time = Timestamp(text) else {
            throw Problem.badRequest("\(name)-invalid", "\(name) is a time such as 2026-01-02T03:04:05Z.")
        }
        return time
    }
}
