import HTTPTypes
public import Hummingbird
import NIOCore
public import StrictJSON
public import Telemetry

extension Router where Context == APIContext {
    /// Adds `GET /health/live`, `GET /health/ready` and `GET /metrics`.
    ///
    /// - Parameters:
    ///   - board: what `/health/ready` shows: 200 when all is there, else 503.
    ///   - registry: what `/metrics` shows.
    ///   - about: members of the `/health/live` document, such as service and instance.
    ///   - isAlive: false makes `/health/live` answer 503, for a process that knows it is beyond repair.
    public func addHealthRoutes(
        board: ReadinessBoard,
        registry: PrometheusRegistry,
        about: JSONObject = [:],
        isAlive: @escaping @Sendable () -> Bool = { true }
    ) {
        get("/health/live") { _, _ in
            let alive = isAlive()
            var document = about
            document["status"] = alive ? "live" : "dead"
            return JSONResponse.make(
                .object(document),
                status: alive ? .ok : .serviceUnavailable,
                contentType: Self.healthType
            )
        }
        get("/health/ready") { _, _ in
            // Asked twice, the two could differ: the status follows the document.
            let document = board.document
            let ready = document["status"] == "ready"
            return JSONResponse.make(document, status: ready ? .ok : .serviceUnavailable, contentType: Self.healthType)
        }
        get("/metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: PrometheusRegistry.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: registry.render()))
            )
        }
    }

    private static var healthType: String { "application/json" }
}
