import DurableStore
public import HTTPKit
import HTTPTypes
public import Hummingbird
import Messaging
import StrictJSON

/// The read models over HTTP, and the rebuild that proves them.
public struct AnalyticsRoutes: Sendable {
    private let store: DurableStore
    private let rebuild: Rebuild?
    private let newID: @Sendable () -> String

    init(store: DurableStore, rebuild: Rebuild?, newID: @escaping @Sendable () -> String) {
        self.store = store
        self.rebuild = rebuild
        self.newID = newID
    }

    /// Adds `GET /v1/summary`.
    public func addPublic(to router: Router<APIContext>) {
        router.get("/v1/summary") { _, _ in
            JSONResponse.make(try await store.read { db in try SummaryQuery(db: db).document() })
        }
    }

    /// Adds `POST /operator/rebuild` and `GET /operator/rebuild/{id}`.
    public func addOperator(to router: Router<APIContext>) {
        router.post("/operator/rebuild") { _, _ in
            guard let rebuild else {
                throw Problem.unavailable("event-log-missing", "This instance has no event log to read from.")
            }
            guard let id = rebuild.reserve(newID()) else {
                throw Problem.conflict("rebuild-running", "A rebuild is running; wait for it to end.")
            }
            // Outlives the request on purpose: its progress is asked for by id. Bounded: one at a time.
            Task { await rebuild.run(id) }
            return JSONResponse.make(.object(["id": .string(id)]), status: .accepted)
        }
        router.get("/operator/rebuild/{id}") { _, context in
            guard let id = context.parameters.get("id"), let status = rebuild?.status(of: id) else {
                throw Problem.notFound("There is no such rebuild.", code: "unknown-rebuild")
            }
            return JSONResponse.make(document(id, status))
        }
    }

    private func document(_ id: String, _ status: Rebuild.Status) -> JSONValue {
        .object([
            "id": .string(id), "state": .string(status.state), "read": .integer(status.read),
            "total": .integer(status.total),
            "identical": status.identical.map(JSONValue.bool) ?? .null,
            "error": status.error.map(JSONValue.string) ?? .null,
            "tables": .array(
                status.tables.map { table in
                    .object([
                        "name": .string(table.name), "live": .integer(Int64(table.live)),
                        "rebuilt": .integer(Int64(table.rebuilt)), "identical": .bool(table.identical),
                    ])
                }
            ),
        ])
    }
}
