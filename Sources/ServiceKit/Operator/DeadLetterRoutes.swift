import DurableStore
import HTTPKit
import HTTPTypes
import Hummingbird
import Messaging
import StrictJSON

/// Dead letters for operators: look, send back, repair, give up, take back. Messages that wait parked in the outbox are
/// listed with them: they could not be handled on their way out.
struct DeadLetterRoutes: Sendable {
    let desk: DeadLetterDesk
    let store: DurableStore
    static let maximumPage = 1000
    /// The largest edit, in bytes of JSON: what the listener takes at all.
    private static let maximumBody = 1 << 20

    func add(to router: Router<APIContext>) {
        addReading(to: router)
        addActs(to: router)
        DeadLetterJobRoutes(desk: desk, store: store).add(to: router)
    }

    private func addReading(to router: Router<APIContext>) {
        router.get("/operator/dead-letters/stats") { _, _ in
            let parked = try await store.outboxStatistics().parked
            return JSONResponse.make(
                .object([
                    "items": .array(try await store.deadLetterCounts().map(DeadLetterDocument.make)),
                    "parked": .integer(Int64(parked)),
                ])
            )
        }
        router.get("/operator/parked-keys") { request, _ in
            let page = try OperatorPage(request, maximum: Self.maximumPage)
            return JSONResponse.make(
                .object(["items": .array(try await store.parkedKeys(limit: page.limit).map(DeadLetterDocument.make))])
            )
        }
        router.get("/operator/dead-letters/acts") { request, _ in
            let page = try OperatorPage(request, maximum: Self.maximumPage)
            let acts = try await store.deadLetterActs(
                letter: page.parameter("letter"),
                job: page.parameter("job"),
                before: try page.position(),
                limit: page.limit
            )
            return JSONResponse.make(
                .object([
                    "items": .array(acts.map(DeadLetterDocument.make)),
                    "next": acts.count == page.limit ? (acts.last.map { .string(String($0.id)) } ?? .null) : .null,
                ])
            )
        }
        router.get("/operator/dead-letters") { request, _ in
            let page = try OperatorPage(request, maximum: Self.maximumPage)
            let filter = try DeadLetterSelection(page).filter()
            let isWhole = page.parameter("whole") == "true"
            // Whole letters carry their payloads: fewer of them fit in an answer.
            let limit = isWhole ? min(page.limit, 50) : page.limit
            var cursor: DeadLetterCursor?
            if !page.cursor.isEmpty {
                cursor = DeadLetterCursor(page.cursor)
                guard cursor != nil else {
                    throw Problem.badRequest("cursor-invalid", "The cursor is not one of ours.")
                }
            }
            let letters = try await store.deadLetters(filter, limit: limit, after: cursor)
            var answer: JSONObject = [
                "items": .array(letters.map { DeadLetterDocument.make($0, whole: isWhole) }),
                "next": letters.count == limit
                    ? (letters.last.map { .string(DeadLetterCursor($0).text) } ?? .null) : .null,
            ]
            if cursor == nil, filter.state != .requeued, filter.state != .discarded {
                let parked = try await store.outboxRows(.parked, limit: page.limit)
                answer["parked"] = .array(parked.filter { fits($0, filter) }.map(DeadLetterDocument.make))
            }
            return JSONResponse.make(.object(answer))
        }
        router.get("/operator/dead-letters/{id}") { _, context in
            guard let id = context.parameters.get("id"), let letter = try await store.deadLetter(id) else {
                throw Self.unknown
            }
            return JSONResponse.make(DeadLetterDocument.make(letter, whole: true))
        }
    }

    private func addActs(to router: Router<APIContext>) {
        router.post("/operator/dead-letters/{id}/rehearse") { _, context in
            let result = try await desk.rehearse(try id(context))
            guard result.kind != .unknown else { throw Self.unknown }
            return JSONResponse.make(DeadLetterDocument.make(result))
        }
        router.post("/operator/dead-letters/{id}/requeue") { request, context in
            let body = try await ActBody.read(request)
            return try await answer(context) { try await desk.requeue($0, body.actor(context)) }
        }
        router.post("/operator/dead-letters/{id}/discard") { request, context in
            let body = try await ActBody.read(request)
            guard body.reason?.isEmpty == false else {
                throw Problem.unprocessable("reason-missing", "Giving a letter up needs a reason.")
            }
            return try await answer(context) { try await desk.discard($0, body.actor(context)) }
        }
        router.post("/operator/dead-letters/{id}/restore") { request, context in
            let body = try await ActBody.read(request)
            return try await answer(context) { try await desk.restore($0, body.actor(context)) }
        }
        router.post("/operator/dead-letters/{id}/edit") { request, context in
            let body = try await JSONRequest.read(
                EditBody.self,
                from: request,
                upTo: Self.maximumBody,
                limits: JSONLimits(maxBytes: Self.maximumBody, maxStringBytes: Self.maximumBody)
            )
            return try await answer(context) { id in
                try await desk.edit(
                    id,
                    body: [UInt8](body.body.utf8),
                    contentType: body.contentType,
                    DeadLetterActor(ActBody.name(body.actor, context), reason: body.reason)
                )
            }
        }
        router.post("/operator/dead-letters/purge") { request, context in
            let body = try await JSONRequest.read(PurgeBody.self, from: request)
            var filter = try body.filter.filter(standard: nil)
            guard filter.state != .held else {
                throw Problem.conflict("held", "Held letters are not deleted; discard them first, with a reason.")
            }
            let before = try body.decidedBefore.map(DeadLetterSelection.time)
            if body.dryRun ?? false {
                var count = 0
                for state in filter.state.map({ [$0] }) ?? [.requeued, .discarded] {
                    filter.state = state
                    count += try await store.deadLetterCount(filter, decidedBefore: before)
                }
                return JSONResponse.make(.object(["count": .integer(Int64(count))]))
            }
            let actor = DeadLetterActor(ActBody.name(body.actor, context), reason: body.reason)
            let count = try await desk.purge(filter, decidedBefore: before, actor)
            return JSONResponse.make(.object(["count": .integer(Int64(count))]))
        }
    }

    static let unknown = Problem.notFound("There is no such dead letter.", code: "unknown-dead-letter")

    private func id(_ context: APIContext) throws(Problem) -> String {
        guard let id = context.parameters.get("id") else { throw Self.unknown }
        return id
    }

    private func answer(
        _ context: APIContext,
        _ act: (String) async throws -> DeadLetterResult
    ) async throws -> Response {
        let result = try await act(try id(context))
        switch result.kind {
        case .unknown: throw Self.unknown
        case .impossible: throw Problem.conflict(result.code ?? "impossible", result.sentence ?? "")
        default: return JSONResponse.make(DeadLetterDocument.make(result))
        }
    }

    /// Whether a parked row of the outbox is one of those that are looked for.
    private func fits(_ row: OutboxRow, _ filter: DeadLetterFilter) -> Bool {
        let envelope = row.message.envelope
        if let type = filter.type, type != envelope.type { return false }
        if let subject = filter.subject, subject != envelope.subject { return false }
        if let code = filter.code, code != DeadLetterDocument.parkedReason { return false }
        if let consumer = filter.consumer, consumer != DeadLetterDocument.text(row.message.destination) { return false }
        if let transport = filter.transport, transport != row.message.destination.transport.rawValue { return false }
        if let before = filter.failedBefore, let parked = row.parkedAt, parked >= before { return false }
        if let text = filter.text {
            return (row.parkedReason ?? "").contains(text)
                || String(decoding: envelope.body, as: UTF8.self).contains(text)
        }
        return true
    }
}

/// Who acts, and why. The whole body may be missing.
struct ActBody: Decodable, Sendable {
    let reason: String?
    let actor: String?

    static func read(_ request: Request) async throws -> ActBody {
        let bytes = try await JSONRequest.body(of: request)
        guard !bytes.isEmpty else { return ActBody(reason: nil, actor: nil) }
        try JSONRequest.checkContentType(of: request)
        return try JSONRequest.decode(ActBody.self, from: bytes)
    }

    /// The name in the journal: the bearer of the token, and who that says to be.
    static func name(_ claimed: String?, _ context: APIContext) -> String {
        let bearer = context.actor ?? "operator"
        return claimed.map { $0.isEmpty ? bearer : "\(bearer) \($0)" } ?? bearer
    }

    func actor(_ context: APIContext) -> DeadLetterActor {
        DeadLetterActor(Self.name(actor, context), reason: reason)
    }
}

/// A new payload, as text.
private struct EditBody: Decodable, Sendable {
    let body: String
    let contentType: String?
    let reason: String?
    let actor: String?
}

/// What to delete.
private struct PurgeBody: Decodable, Sendable {
    let filter: DeadLetterSelection
    let decidedBefore: String?
    let dryRun: Bool?
    let reason: String?
    let actor: String?
}
