import DurableStore
import HTTPKit
import HTTPTypes
import Hummingbird
import Messaging
import StrictJSON

/// The outbox for operators: what waits, and what to do about it.
struct OutboxRoutes: Sendable {
    let store: DurableStore
    static let maximumPage = 1000

    func add(to router: Router<APIContext>) {
        router.get("/operator/outbox/stats") { _, _ in
            JSONResponse.make(document(try await store.outboxStatistics()))
        }
        router.get("/operator/outbox") { request, _ in
            let page = try OperatorPage(request, maximum: Self.maximumPage)
            guard let filter = OutboxFilter(rawValue: page.parameter("state") ?? OutboxFilter.unpublished.rawValue)
            else {
                throw Problem.badRequest(
                    "state-invalid",
                    "The state is one of " + OutboxFilter.allCases.map(\.rawValue).joined(separator: ", ") + "."
                )
            }
            let rows = try await store.outboxRows(filter, after: try page.position() ?? 0, limit: page.limit)
            return JSONResponse.make(
                .object([
                    "items": .array(rows.map(document)),
                    "next": rows.count == page.limit ? (rows.last.map { .string(String($0.seq)) } ?? .null) : .null,
                ])
            )
        }
        router.post("/operator/outbox/{seq}/retry") { _, context in
            try await act(context) { try await store.retryOutboxRow($0) }
        }
        router.post("/operator/outbox/{seq}/park") { request, context in
            let body = try await JSONRequest.read(ReasonBody.self, from: request)
            return try await act(context) { try await store.parkOutboxRow($0, reason: body.reason) }
        }
        router.post("/operator/outbox/{seq}/unpark") { _, context in
            try await act(context) { try await store.unparkOutboxRow($0) }
        }
        router.post("/operator/outbox/{seq}/discard") { _, context in
            try await act(context) { try await store.discardOutboxRow($0) }
        }
    }

    private func act(_ context: APIContext, _ act: (Int64) async throws -> Bool) async throws -> Response {
        guard let seq = context.parameters.get("seq").flatMap({ Int64($0) }), try await act(seq) else {
            throw Problem.notFound("There is no such row in a state in which this can be done.", code: "unknown-row")
        }
        return JSONResponse.make(.object(["seq": .integer(seq)]))
    }

    private func document(_ statistics: OutboxStatistics) -> JSONValue {
        .object([
            "unpublished": .integer(Int64(statistics.unpublished)), "parked": .integer(Int64(statistics.parked)),
            "oldestUnpublishedAgeMs": .integer(statistics.oldestUnpublishedAgeMilliseconds),
            "byDestination": .array(
                statistics.byDestination.map { part in
                    .object([
                        "destination": .string(text(part.destination)),
                        "unpublished": .integer(Int64(part.unpublished)),
                        "parked": .integer(Int64(part.parked)),
                    ])
                }
            ),
        ])
    }

    private func document(_ row: OutboxRow) -> JSONValue {
        .object([
            "seq": .integer(row.seq), "id": .string(row.message.envelope.id),
            "type": .string(row.message.envelope.type),
            "subject": .string(row.message.envelope.subject), "destination": .string(text(row.message.destination)),
            "createdAt": .string(row.createdAt.description),
            "publishedAt": row.publishedAt.map { .string($0.description) } ?? .null,
            "attempts": .integer(Int64(row.attempts)), "lastError": row.lastError.map(JSONValue.string) ?? .null,
            "nextAttemptAt": row.nextAttemptAt.map { .string($0.description) } ?? .null,
            "parkedAt": row.parkedAt.map { .string($0.description) } ?? .null,
            "parkedReason": row.parkedReason.map(JSONValue.string) ?? .null,
        ])
    }

    private func text(_ destination: Destination) -> String {
        switch destination {
        case .exchange(let exchange, let routingKey): "\(exchange):\(routingKey)"
        case .topic(let topic): topic
        }
    }
}

/// A body that says why.
struct ReasonBody: Decodable, Sendable {
    let reason: String
}

/// Cursor and limit of a list.
struct OperatorPage {
    let cursor: String
    let limit: Int
    private let parameters: [String: String]

    init(_ request: Request, maximum: Int) throws(Problem) {
        parameters = Dictionary(
            request.uri.queryParameters.map { (String($0.key), String($0.value)) },
            uniquingKeysWith: { first, _ in first }
        )
        cursor = parameters["cursor"] ?? ""
        let asked = parameters["limit"].map { Int($0) } ?? min(100, maximum)
        guard let asked, (1...maximum).contains(asked) else {
            throw Problem.badRequest("limit-invalid", "The limit is a whole number from 1 to \(maximum).")
        }
        limit = asked
    }

    /// The cursor of a numbered list; `nil` on the first page.
    func position() throws(Problem) -> Int64? {
        if cursor.isEmpty { return nil }
        guard let position = Int64(cursor) else {
            throw Problem.badRequest("cursor-invalid", "The cursor is the “next” of the page before.")
        }
        return position
    }

    func parameter(_ name: String) -> String? {
        parameters[name]
    }
}
