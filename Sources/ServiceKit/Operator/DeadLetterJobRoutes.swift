import DurableStore
import HTTPKit
import HTTPTypes
import Hummingbird
import Messaging
import StrictJSON

/// Many letters at once: what would come of sending them back, and the jobs that do it.
struct DeadLetterJobRoutes: Sendable {
    let desk: DeadLetterDesk
    let store: DurableStore
    /// The most letters that one request rehearses.
    private static let maximumRehearsals = 200

    func add(to router: Router<APIContext>) {
        router.post("/operator/dead-letters/rehearse") { request, _ in
            let body = try await JSONRequest.read(RehearsalBody.self, from: request)
            let limit = min(max(body.limit ?? 100, 1), Self.maximumRehearsals)
            var cursor: DeadLetterCursor?
            if let text = body.cursor {
                cursor = DeadLetterCursor(text)
                guard cursor != nil else {
                    throw Problem.badRequest("cursor-invalid", "The cursor is not one of ours.")
                }
            }
            var filter = try body.filter.filter()
            filter.state = .held
            let letters = try await store.deadLetters(filter, limit: limit, after: cursor)
            var items: [JSONValue] = []
            for letter in letters {
                var object = DeadLetterDocument.make(try await desk.rehearse(letter.id)).objectValue ?? JSONObject()
                object["id"] = .string(letter.id)
                items.append(.object(object))
            }
            return JSONResponse.make(
                .object([
                    "items": .array(items),
                    "next": letters.count == limit
                        ? (letters.last.map { .string(DeadLetterCursor($0).text) } ?? .null) : .null,
                ])
            )
        }
        router.post("/operator/dead-letter-jobs") { request, context in
            let body = try await JSONRequest.read(JobBody.self, from: request)
            let pace = DeadLetterPace(
                ratePerMinute: body.ratePerMinute,
                failurePercent: body.failurePercent ?? 25,
                settle: .seconds(body.settleSeconds ?? 30)
            )
            do {
                let job = try await desk.startJob(
                    try body.filter.filter(),
                    pace: pace,
                    DeadLetterActor(ActBody.name(body.actor, context), reason: body.reason)
                )
                return JSONResponse.make(DeadLetterDocument.make(job), status: .created)
            } catch let failure as Failure where failure.failureClass == .permanent {
                throw Problem.conflict(failure.code, failure.description)
            }
        }
        router.get("/operator/dead-letter-jobs") { request, _ in
            let page = try OperatorPage(request, maximum: 100)
            let jobs = try await store.deadLetterJobs(limit: page.limit)
            return JSONResponse.make(.object(["items": .array(jobs.map(DeadLetterDocument.make))]))
        }
        router.get("/operator/dead-letter-jobs/{id}") { _, context in
            JSONResponse.make(DeadLetterDocument.make(try await job(context)))
        }
        router.get("/operator/dead-letter-jobs/{id}/items") { request, context in
            let page = try OperatorPage(request, maximum: 1000)
            let job = try await job(context)
            let last = Int(clamping: try page.position() ?? 0)
            let items = try await store.deadLetterJobItems(job.id, after: last, limit: page.limit)
            return JSONResponse.make(
                .object([
                    "items": .array(items.map(DeadLetterDocument.make)),
                    "next": items.count == page.limit
                        ? (items.last.map { .string(String($0.position)) } ?? .null) : .null,
                ])
            )
        }
        router.post("/operator/dead-letter-jobs/{id}/cancel") { request, context in
            let body = try await ActBody.read(request)
            let job = try await job(context)
            guard try await desk.cancelJob(job.id, body.actor(context)) else {
                throw Problem.conflict("not-running", "The job is \(job.state.rawValue).")
            }
            return JSONResponse.make(DeadLetterDocument.make(try await self.job(context)))
        }
    }

    private func job(_ context: APIContext) async throws -> DeadLetterJob {
        guard let id = context.parameters.get("id"), let job = try await store.deadLetterJob(id) else {
            throw Problem.notFound("There is no such job.", code: "unknown-job")
        }
        return job
    }
}

/// Which letters to rehearse.
private struct RehearsalBody: Decodable, Sendable {
    let filter: DeadLetterSelection
    let limit: Int?
    let cursor: String?
}

/// Which letters to send back, and how.
private struct JobBody: Decodable, Sendable {
    let filter: DeadLetterSelection
    let ratePerMinute: Int?
    let failurePercent: Int?
    let settleSeconds: Int?
    let reason: String?
    let actor: String?
}
