import DurableStore
import HTTPKit
import Hummingbird
import Messaging
import StrictJSON

/// Deadlines for operators: `GET /operator/deadlines/overdue?by=SECONDS` lists those that should have fired.
struct DeadlineRoutes: Sendable {
    let store: DurableStore

    func add(to router: Router<APIContext>) {
        router.get("/operator/deadlines/overdue") { request, _ in
            let page = try OperatorPage(request, maximum: 1000)
            let seconds = page.parameter("by").map { Int64($0) } ?? 10
            guard let seconds, (0...86_400).contains(seconds) else {
                throw Problem.badRequest("by-invalid", "by is a number of seconds from 0 to 86400.")
            }
            let now = store.clock.now()
            let late = try await store.overdueDeadlines(by: .seconds(seconds), limit: page.limit)
            return JSONResponse.make(
                .object([
                    "items": .array(
                        late.map { deadline in
                            .object([
                                "name": .string(deadline.name), "subject": .string(deadline.subject),
                                "dueAt": .string(deadline.dueAt.description),
                                "overdueMs": .integer(now.milliseconds(since: deadline.dueAt)),
                                "failures": .integer(Int64(deadline.failures)),
                                "retryAt": .string(deadline.retryAt.description),
                                "lastError": deadline.lastError.map(JSONValue.string) ?? .null,
                            ])
                        }
                    )
                ])
            )
        }
    }
}
