import HTTPKit
import HTTPTypes
import Hummingbird
import Messaging
import NotificationCore
import StrictJSON
import Webhooks

extension WebhookRoutes {
    /// Adds the jobs that send again what an endpoint missed.
    func addRecoveries(to router: Router<APIContext>) {
        let recoveries = recoveries
        router.post("/operator/webhooks/recoveries") { request, _ in
            let body = try await JSONRequest.read(RecoveryBody.self, from: request)
            var asked = RecoveryRequest(endpoint: body.endpoint, since: try Self.time(body.since, "since"))
            asked.until = try body.until.map { text throws(Problem) in try Self.time(text, "until") }
            asked.eventTypes = (body.eventTypes ?? []).map(EventCatalog.pattern)
            asked.statusClass = body.statusClass
            asked.includesMissing = body.includeMissing ?? false
            asked.request = body.request
            asked.perSecond = body.perSecond
            let meant = asked
            if body.dryRun ?? false {
                let count = try await Self.explained { try await recoveries.count(meant) }
                return JSONResponse.make(.object(["dryRun": true, "deliveries": .integer(Int64(count))]))
            }
            let job = try await Self.explained { try await recoveries.start(meant) }
            return JSONResponse.make(Self.document(job), status: .accepted)
        }
        router.get("/operator/webhooks/recoveries") { _, _ in
            JSONResponse.make(.object(["items": .array(try await recoveries.list().map(Self.document))]))
        }
        router.get("/operator/webhooks/recoveries/{id}") { _, context in
            guard let job = try await recoveries.list(try identifier(context)).first else { throw Self.unknown }
            return JSONResponse.make(Self.document(job))
        }
        let acts: [(String, @Sendable (String) async throws -> WebhookRecovery)] = [
            ("cancel", { try await recoveries.cancel($0) }), ("resume", { try await recoveries.resume($0) }),
        ]
        for (name, act) in acts {
            router.post("/operator/webhooks/recoveries/{id}/\(name)") { _, context in
                let id = try identifier(context)
                return JSONResponse.make(Self.document(try await Self.explained { try await act(id) }))
            }
        }
    }

    private struct RecoveryBody: Decodable, Sendable {
        let endpoint: String
        let since: String
        let until: String?
        let eventTypes: [String]?
        let statusClass: Int?
        let includeMissing: Bool?
        let dryRun: Bool?
        let perSecond: Int?
        let request: String?
    }

    private static func time(_ text: String, _ name: String) throws(Problem) -> Timestamp {
        if let time = Timestamp(text) { return time }
        throw Problem.unprocessable("\(name)-invalid", "\(name) is a time such as 2026-01-02T03:04:05Z.")
    }

    private static func document(_ job: WebhookRecovery) -> JSONValue {
        .object([
            "id": .string(job.id), "endpointId": .string(job.endpointID), "state": .string(job.state),
            "examined": .integer(Int64(job.examined)), "recovered": .integer(Int64(job.recovered)),
            "perSecond": WebhookDocuments.integer(job.perSecond),
            "since": WebhookDocuments.time(job.since), "until": WebhookDocuments.time(job.until),
            "createdAt": WebhookDocuments.time(job.createdAt), "updatedAt": WebhookDocuments.time(job.updatedAt),
        ])
    }
}
