import ArgumentParser
import StrictJSON

/// `waybill webhook delivery …`
struct WebhookDeliveryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delivery",
        abstract: "What was sent, to whom, and how they answered.",
        subcommands: [List.self, Show.self, Resend.self]
    )

    static let path = "/operator/webhooks/deliveries"

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List deliveries, the newest first.",
            discussion: """
                Examples:
                  waybill webhook delivery list
                  waybill webhook delivery list --state exhausted --endpoint 019a2f0c-…
                """
        )
        @Option(name: .long, help: "Only this endpoint.") var endpoint: String?
        @Option(name: .long, help: "pending, sending, waiting, delivered, exhausted, parked, skipped or cancelled.")
        var state: String?
        @Option(name: .long, help: "Only this event type.") var type: String?
        @Option(name: .long, help: "Only about this order.") var order: String?
        @Option(name: .long, help: "The most deliveries.") var limit = 20
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            var query = "?limit=\(min(100, max(1, limit)))"
            for (name, value) in [("endpoint", endpoint), ("state", state), ("type", type), ("subject", order)] {
                if let value { query += "&\(name)=" + escaped(value) }
            }
            let page = try await session.operatorJSON("GET", "notification", WebhookDeliveryCommand.path + query)
            await session.close()
            let items = page["items"]?.arrayValue ?? []
            if common.json { return items.forEach(JSONOutput.print) }
            var table = Table([
                .text("ID"), .text("STATE"), .text("TYPE"), .text("SUBJECT"), .number("TRIES"), .number("STATUS"),
                .text("NEXT TRY"),
            ])
            for item in items {
                let state = item["state"]?.shown ?? ""
                table.add([
                    .init(item["id"]?.shown ?? ""), .init(state, color(state)), .init(item["type"]?.shown ?? ""),
                    .init(item["subject"]?.shown ?? ""), .init(item["attempts"]?.integerValue),
                    .init(item["lastStatus"]?.integerValue.map(String.init) ?? item["lastCode"]?.shown ?? ""),
                    .init(item["nextAttemptAt"]?.shown ?? ""),
                ])
            }
            table.print()
            if items.isEmpty { throw CommandEnd.no("There are no such deliveries.") }
        }

        private func color(_ state: String) -> Console.Color {
            switch state {
            case "delivered": .good
            case "exhausted", "parked": .bad
            default: .waiting
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one delivery with all its attempts.",
            discussion: "Example: waybill webhook delivery show 019a2f0c-…"
        )
        @Argument(help: "The delivery's id.") var id: String
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let delivery = try await session.operatorJSON(
                "GET",
                "notification",
                WebhookDeliveryCommand.path + "/" + escaped(id)
            )
            await session.close()
            if common.json { return JSONOutput.print(delivery) }
            Console.print(
                "\(delivery["type"]?.shown ?? "")  \(delivery["state"]?.shown ?? "")  webhook-id \(delivery["webhookId"]?.shown ?? "")"
            )
            var table = Table([
                .number("NO"), .text("STARTED"), .text("STATE"), .number("STATUS"), .number("TIME"), .text("ANSWER"),
            ])
            for attempt in delivery["attemptLog"]?.arrayValue ?? [] {
                table.add([
                    .init(attempt["number"]?.integerValue), .init(attempt["startedAt"]?.shown ?? ""),
                    .init(attempt["state"]?.shown ?? ""),
                    .init(attempt["status"]?.integerValue.map(String.init) ?? attempt["code"]?.shown ?? ""),
                    .init(attempt["totalUs"]?.integerValue.map { "\($0 / 1000) ms" } ?? ""),
                    .init(attempt["detail"]?.stringValue ?? attempt["responseBody"]?.shown ?? ""),
                ])
            }
            table.print()
            Console.print(Console.colored(Console.safe(delivery["body"]?.shown ?? ""), .quiet))
        }
    }

    struct Resend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a delivery again now: same id, same bytes.",
            discussion: "Example: waybill webhook delivery resend 019a2f0c-…"
        )
        @Argument(help: "The delivery's id.") var id: String
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let delivery = try await session.operatorJSON(
                "POST",
                "notification",
                WebhookDeliveryCommand.path + "/\(escaped(id))/resend"
            )
            await session.close()
            common.json ? JSONOutput.print(delivery) : Console.print("\(id): on its way")
        }
    }
}
