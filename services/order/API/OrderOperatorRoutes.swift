import Commerce
import HTTPKit
import Hummingbird
import OrderCore
import StrictJSON

/// What operators do about orders: `POST /operator/orders/republish`.
struct OrderOperatorRoutes: Sendable {
    private let republishCommands: RepublishCommands

    init(_ parts: OrderParts) {
        republishCommands = parts.republishCommands
    }

    func add(to router: Router<APIContext>) {
        router.post("/operator/orders/republish") { request, _ in
            let body = try await JSONRequest.read(RepublishBody.self, from: request)
            let summary = try await republishCommands(isDryRun: body.dryRun)
            return JSONResponse.make(
                .object([
                    "dryRun": .bool(body.dryRun), "orders": .integer(Int64(summary.orders)),
                    "commands": .integer(Int64(summary.commands)),
                    "items": .array(
                        summary.lines.map { line in
                            .object([
                                "status": .string(line.status.rawValue), "orders": .integer(Int64(line.orders)),
                                "commands": .integer(Int64(line.commands)),
                            ])
                        }
                    ),
                ])
            )
        }
    }

    private struct RepublishBody: Decodable, Sendable {
        let dryRun: Bool
    }
}
