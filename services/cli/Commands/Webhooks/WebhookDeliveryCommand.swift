import ArgumentParser
import StrictJSON
import Terminal

/// `waybill webhook delivery …`
struct WebhookDeliveryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delivery",
        abstract: "What was sent, to whom, and how they answered.",
        subcommands: [List.self, Show.self, Resend.self, Redrive.self, Skip.self, Erase.self]
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
        @Option(name: .long, help: "Only this event (webhook-id).") var webhookId: String?
        @Option(name: .long, help: "Only where the last answer was of this class: 2, 3, 4 or 5.") var statusClass: Int?
        @Option(name: .long, help: "Only where the last attempt ended with this: timeout, connection_refused …")
        var code: String?
        @Option(name: .long, help: "Only since this time: 2026-01-31T12:00:00Z, or 90s, 30m, 2h, 7d ago.") var since:
            String?
        @Option(name: .long, help: "Only before this time.") var until: String?
        @Option(name: .long, help: "The most deliveries.") var limit = 20
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            var query = "?limit=\(min(100, max(1, limit)))"
            let choices = [
                ("endpoint", endpoint), ("state", state), ("type", type), ("subject", order), ("webhookId", webhookId),
                ("statusClass", statusClass.map(String.init)), ("code", code),
                ("since", try since.map(PointInTime.text)),
                ("until", try until.map(PointInTime.text)),
            ]
            for (name, value) in choices {
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
            discussion: """
                An open breaker does not keep it back. If it fails, the automatic attempts go on as planned.

                Example: waybill webhook delivery resend 019a2f0c-…
                """
        )
        @OptionGroup var delivery: DeliveryArguments
        func run() async throws { try await delivery.act("resend", "on its way") }
    }

    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Begin a delivery that was given up or skipped again, with all its attempts.",
            discussion: "Example: waybill webhook delivery redrive 019a2f0c-…"
        )
        @OptionGroup var delivery: DeliveryArguments
        func run() async throws { try await delivery.act("redrive", "begun again") }
    }

    struct Skip: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a parked delivery up; the next event of its order goes.",
            discussion: "Example: waybill webhook delivery skip 019a2f0c-…"
        )
        @OptionGroup var delivery: DeliveryArguments
        func run() async throws { try await delivery.act("skip", "given up") }
    }

    struct Erase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an event's payload for good; nothing can send it again.",
            discussion: "Example: waybill webhook delivery erase 019a2f0c-… --yes"
        )
        @Argument(help: "The event's webhook-id.") var id: String
        @Flag(name: .long, help: "Really.") var yes = false
        @OptionGroup var common: CommonOptions

        func run() async throws {
            guard yes else { throw CommandEnd.failed("The payload cannot be had back. Repeat this with --yes.") }
            let session = Session()
            let path = "/operator/webhooks/messages/\(escaped(id))/payload"
            let answer = try await session.operatorJSON("DELETE", "notification", path)
            await session.close()
            let count = answer["cancelled"]?.shown ?? "0"
            common.json ? JSONOutput.print(answer) : Console.print("\(id): erased, \(count) deliveries ended")
        }
    }
}

/// Names one delivery.
struct DeliveryArguments: ParsableArguments {
    @Argument(help: "The delivery's id.") var id: String
    @OptionGroup var common: CommonOptions

    func act(_ verb: String, _ done: String) async throws {
        let session = Session()
        let path = WebhookDeliveryCommand.path + "/\(escaped(id))/\(verb)"
        let delivery = try await session.operatorJSON("POST", "notification", path)
        await session.close()
        common.json ? JSONOutput.print(delivery) : Console.print("\(id): \(done)")
    }
}
