import DurableStore
public import HTTPKit
import HTTPTypes
public import Hummingbird
import Logging
import Messaging
import NotificationCore
import StrictJSON
import Webhooks

/// Endpoints and deliveries for operators.
public struct WebhookRoutes: Sendable {
    let store: DurableStore
    let queries: WebhookQueries
    let dispatcher: WebhookDispatcher
    let clock: any WallClock
    let administration: WebhookAdministration
    let recoveries: WebhookRecoveries

    /// The most rows on one page.
    static let maximumPage = 200

    init(
        store: DurableStore,
        queries: WebhookQueries,
        dispatcher: WebhookDispatcher,
        policy: AddressPolicy,
        clock: any WallClock
    ) {
        self.store = store
        self.queries = queries
        self.dispatcher = dispatcher
        self.clock = clock
        administration = WebhookAdministration(
            knownTypes: EventCatalog.types,
            policy: policy,
            source: NotificationService.source
        ) { dispatcher.wake() }
        recoveries = WebhookRecoveries(store: store) { dispatcher.wake() }
    }

    /// Adds all routes below `/operator/webhooks`.
    public func add(to router: Router<APIContext>) {
        router.get("/operator/webhooks/event-types") { _, _ in
            JSONResponse.make(.object(["items": .array(EventTypeDocuments.types.map(JSONValue.string))]))
        }
        addEndpoints(to: router)
        addActions(to: router)
        addTests(to: router)
        addDeliveries(to: router)
        addMessages(to: router)
        addRecoveries(to: router)
    }

    private func addEndpoints(to router: Router<APIContext>) {
        router.post("/operator/webhooks/endpoints") { request, context in
            let body = try await JSONRequest.read(EndpointBody.self, from: request)
            var settings = EndpointSettings(url: "")
            try body.apply(to: &settings)
            let (made, secret) = (settings, try body.parsedSecret())
            let actor = actor(context)
            let (endpoint, key) = try await unit { tx in
                try administration.create(made, secret: secret, actor: actor, in: tx)
            }
            var object = document(endpoint)
            object["secret"] = .string(key.text)
            return JSONResponse.make(
                .object(object),
                status: .created,
                headers: [.location: "/operator/webhooks/endpoints/\(endpoint.id)"]
            )
        }
        router.get("/operator/webhooks/endpoints") { request, _ in
            let (cursor, limit) = try page(request)
            let endpoints = try await queries.endpoints(after: cursor, limit: limit + 1)
            let next = endpoints.count > limit ? endpoints[limit - 1].id : nil
            return JSONResponse.make(
                .object([
                    "items": .array(endpoints.prefix(limit).map { .object(document($0)) }),
                    "next": WebhookDocuments.text(next),
                ])
            )
        }
        router.get("/operator/webhooks/endpoints/{id}") { _, context in
            let endpoint = try await endpoint(context)
            var object = document(endpoint)
            if let handshake = try await queries.handshake(of: endpoint.id) {
                object["consent"] = WebhookDocuments.handshake(handshake)
            }
            return JSONResponse.make(.object(object))
        }
        router.patch("/operator/webhooks/endpoints/{id}") { request, context in
            let body = try await JSONRequest.read(EndpointBody.self, from: request)
            guard body.secret == nil else {
                throw Problem.unprocessable("secret-not-here", "A key is changed with POST …/rotate.")
            }
            let (id, actor) = (try identifier(context), actor(context))
            let endpoint = try await unit { tx in
                try administration.update(id, actor: actor, in: tx) { settings in try body.apply(to: &settings) }
            }
            return JSONResponse.make(.object(document(endpoint)))
        }
        router.delete("/operator/webhooks/endpoints/{id}") { _, context in
            let (id, actor) = (try identifier(context), actor(context))
            _ = try await unit { tx in try administration.act(.delete, on: id, actor: actor, in: tx) }
            return Response(status: .noContent)
        }
        router.get("/operator/webhooks/endpoints/{id}/secret") { _, context in
            let id = try identifier(context)
            let endpoint = try await endpoint(context)
            let secrets = try await unit { tx in try administration.secrets(of: id, in: tx) }
            context.logger.notice("The keys of an endpoint were read.", metadata: ["endpoint": "\(endpoint.id)"])
            return JSONResponse.make(
                .object([
                    "secrets": .array(
                        secrets.map {
                            .object([
                                "secret": .string($0.secret.text), "createdAt": WebhookDocuments.time($0.createdAt),
                                "expiresAt": WebhookDocuments.time($0.expiresAt),
                            ])
                        }
                    ),
                    "publicKey": WebhookDocuments.text(endpoint.publicKey?.description),
                ]),
                headers: [.cacheControl: "no-store"]
            )
        }
        router.get("/operator/webhooks/endpoints/{id}/journal") { _, context in
            let entries = try await queries.journal(of: try await endpoint(context).id)
            return JSONResponse.make(
                .object([
                    "items": .array(
                        entries.map {
                            .object([
                                "version": .integer($0.version), "action": .string($0.action),
                                "state": .string($0.state),
                                "reason": WebhookDocuments.text($0.reason), "actor": .string($0.actor),
                                "detail": .string($0.detail), "at": WebhookDocuments.time($0.at),
                            ])
                        }
                    )
                ])
            )
        }
    }

    private func addActions(to router: Router<APIContext>) {
        let actions: [(name: String, action: EndpointState.Action)] = [
            ("pause", .pause), ("resume", .resume), ("enable", .enable), ("disable", .disable(.manual)),
            ("verify", .ask),
        ]
        for (name, action) in actions {
            router.post("/operator/webhooks/endpoints/{id}/\(name)") { _, context in
                let (id, actor) = (try identifier(context), actor(context))
                let endpoint = try await unit { tx in try administration.act(action, on: id, actor: actor, in: tx) }
                return JSONResponse.make(.object(document(endpoint)))
            }
        }
        router.post("/operator/webhooks/endpoints/{id}/reset-breaker") { _, context in
            let (id, actor) = (try identifier(context), actor(context))
            let endpoint = try await unit { tx in try administration.resetBreaker(id, actor: actor, in: tx) }
            return JSONResponse.make(.object(document(endpoint)))
        }
        router.post("/operator/webhooks/endpoints/{id}/rotate") { request, context in
            let body = try await JSONRequest.read(RotateBody.self, from: request)
            let (id, actor, secret) = (try identifier(context), actor(context), try EndpointBody.secret(body.secret))
            let grace = Duration.seconds(min(max(body.graceSeconds ?? 86_400, -1), 1 << 32))
            let (key, until) = try await unit { tx in
                try administration.rotate(id, grace: grace, secret: secret, actor: actor, in: tx)
            }
            return JSONResponse.make(
                .object([
                    "id": .string(id), "secret": .string(key.text), "previousExpiresAt": WebhookDocuments.time(until),
                ]),
                headers: [.cacheControl: "no-store"]
            )
        }
    }

    // MARK: Shared

    func document(_ endpoint: WebhookEndpoint) -> JSONObject {
        WebhookDocuments.endpoint(endpoint, inFlight: dispatcher.inFlight[endpoint.id] ?? 0, at: clock.now())
    }

    func identifier(_ context: APIContext) throws(Problem) -> String {
        guard let id = context.parameters.get("id"), (1...128).contains(id.utf8.count) else { throw Self.unknown }
        return id
    }

    func endpoint(_ context: APIContext) async throws -> WebhookEndpoint {
        guard let endpoint = try await queries.endpoint(try identifier(context)) else { throw Self.unknown }
        return endpoint
    }

    func actor(_ context: APIContext) -> String { context.actor ?? "operator" }

    /// Runs an act in one unit; what it says becomes a problem document.
    func unit<Value: Sendable>(_ act: @escaping @Sendable (Transaction) throws -> Value) async throws -> Value {
        try await Self.explained { [store] in try await store.write(act) }
    }

    /// What an act throws, as a problem document.
    static func explained<Value: Sendable>(_ act: () async throws -> Value) async throws -> Value {
        do {
            return try await act()
        } catch let fault as WebhookAdministration.Fault {
            switch fault {
            case .unknown: throw unknown
            case .conflict(let code, let sentence): throw Problem.conflict(code, sentence)
            case .invalid(let faults):
                throw Problem.unprocessable(
                    faults.first?.code ?? "invalid-value",
                    faults.first?.description ?? "",
                    fields: faults.map { Problem.Field(path: $0.path, code: $0.code, detail: $0.description) }
                )
            }
        }
    }

    func page(_ request: Request) throws(Problem) -> (cursor: String, limit: Int) {
        let parameters = request.uri.queryParameters
        let limit = parameters["limit"].map { Int($0) } ?? 100
        guard let limit, (1...Self.maximumPage).contains(limit) else {
            throw Problem.badRequest("limit-invalid", "The limit is a whole number from 1 to \(Self.maximumPage).")
        }
        return (parameters["cursor"].map(String.init) ?? "", limit)
    }

    static let unknown = Problem.notFound("There is no such endpoint or delivery.", code: "unknown-webhook")
}
