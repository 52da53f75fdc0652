import ArgumentParser
import StrictJSON
import Terminal

/// `waybill outbox …`
struct OutboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox",
        abstract: "What waits to be published.",
        subcommands: [Stats.self, List.self, Retry.self, Park.self, Unpark.self, Discard.self, Republish.self]
    )

    /// Services that have an outbox.
    static let services = ["order", "payment", "inventory"]

    struct Stats: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How much waits in each outbox, and for how long.",
            discussion: "Example: waybill outbox stats"
        )
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            var table = Table([
                .text("SERVICE"), .number("WAITING"), .number("OLDEST"), .number("PARKED"), .text("DESTINATIONS"),
            ])
            for service in OutboxCommand.services {
                let stats = try await session.operatorJSON("GET", service, "/operator/outbox/stats")
                if common.json {
                    var object = stats.objectValue ?? JSONObject()
                    object["service"] = .string(service)
                    JSONOutput.print(.object(object))
                    continue
                }
                let age = stats["oldestUnpublishedAgeMs"]?.integerValue ?? 0
                let parked = stats["parked"]?.integerValue ?? 0
                let destinations = (stats["byDestination"]?.arrayValue ?? []).map {
                    "\($0["destination"]?.shown ?? "") \($0["unpublished"]?.shown ?? "")"
                }
                table.add([
                    .init(service), .init(stats["unpublished"]?.integerValue), .init(age == 0 ? "" : "\(age) ms"),
                    .init(grouped(parked), parked > 0 ? .bad : nil),
                    .init(destinations.joined(separator: ", "), .quiet),
                ])
            }
            await session.close()
            if !common.json { table.print() }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List messages that are not published.",
            discussion: """
                Examples:
                  waybill outbox list
                  waybill outbox list --service payment --state parked
                """
        )
        @Option(name: .long, help: "Only this service.") var service: String?
        @Option(name: .long, help: "unpublished, parked or all.") var state = "unpublished"
        @Option(name: .long, help: "The most rows of each service.") var limit = 50
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            var table = Table([
                .text("SERVICE"), .number("SEQ"), .text("TYPE"), .text("SUBJECT"), .text("DESTINATION"),
                .number("TRIES"),
                .text("LAST ERROR"),
            ])
            var count = 0
            for name in service.map({ [$0] }) ?? OutboxCommand.services {
                let page = try await session.operatorJSON(
                    "GET",
                    name,
                    "/operator/outbox?state=\(escaped(state))&limit=\(limit)"
                )
                for row in page["items"]?.arrayValue ?? [] {
                    count += 1
                    if common.json {
                        var object = row.objectValue ?? JSONObject()
                        object["service"] = .string(name)
                        JSONOutput.print(.object(object))
                    } else {
                        table.add([
                            .init(name), .init(row["seq"]?.integerValue), .init(row["type"]?.shown ?? ""),
                            .init(row["subject"]?.shown ?? ""), .init(row["destination"]?.shown ?? ""),
                            .init(row["attempts"]?.integerValue),
                            .init(row["parkedReason"]?.stringValue ?? row["lastError"]?.shown ?? ""),
                        ])
                    }
                }
            }
            await session.close()
            if common.json { return }
            count > 0 ? table.print() : Console.print("Nothing waits.")
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try a row now, whatever pause it is in.",
            discussion: "Example: waybill outbox retry payment 4711"
        )
        @OptionGroup var row: OutboxRowArguments
        func run() async throws { try await row.act("retry") }
    }

    struct Park: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a row aside; the messages of its key wait, others go on.",
            discussion: "Example: waybill outbox park payment 4711 --reason \"receiver cannot read it\""
        )
        @OptionGroup var row: OutboxRowArguments
        @Option(name: .long, help: "Why.") var reason: String
        func run() async throws { try await row.act("park", body: .object(["reason": .string(reason)])) }
    }

    struct Unpark: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a parked row be sent again.",
            discussion: "Example: waybill outbox unpark payment 4711"
        )
        @OptionGroup var row: OutboxRowArguments
        func run() async throws { try await row.act("unpark") }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a parked row up; its message is never sent.",
            discussion: "Example: waybill outbox discard payment 4711 --yes"
        )
        @OptionGroup var row: OutboxRowArguments
        @Flag(name: .long, help: "Really.") var yes = false
        func run() async throws {
            guard yes else {
                throw CommandEnd.failed("A discarded message is lost for good; repeat the command with --yes.")
            }
            try await row.act("discard")
        }
    }
}

extension OutboxCommand {
    struct Republish: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "After a loss of RabbitMQ's data: ask again for whatever open orders wait for.",
            discussion: """
                Examples:
                  waybill outbox republish --dry-run
                  waybill outbox republish

                Messages that no broker confirmed are sent again by themselves. This is for those that a broker had
                confirmed and then lost. What each open order waits for is known from its own row; the command goes out once
                more, under a new id, and is answered with what came of it, so nothing is reserved or charged twice. It does
                no harm to a system that lost nothing. Without it, deadlines do the same, later.

                Exit codes: 0 done, also when no order is open; 2 it could not be carried out.
                """
        )
        @Flag(name: .long, help: "Only count what would be asked for.") var dryRun = false
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let answer = try await session.operatorJSON(
                "POST",
                "order",
                "/operator/orders/republish",
                body: .object(["dryRun": .bool(dryRun)])
            )
            await session.close()
            if common.json { return JSONOutput.print(answer) }
            var table = Table([.text("ORDERS THAT STAND AT"), .number("ORDERS"), .number("COMMANDS")])
            for line in answer["items"]?.arrayValue ?? [] {
                table.add([
                    .init(line["status"]?.shown ?? ""), .init(line["orders"]?.integerValue),
                    .init(line["commands"]?.integerValue),
                ])
            }
            let commands = answer["commands"]?.integerValue ?? 0
            guard commands > 0 else { return Console.print("No order waits for an answer.") }
            table.print()
            let (noun, past) = commands == 1 ? ("command", "was") : ("commands", "were")
            Console.print("\(grouped(commands)) \(noun) \(dryRun ? "would be" : past) asked for again.")
        }
    }
}

/// Names one row of one outbox.
struct OutboxRowArguments: ParsableArguments {
    @Argument(help: "order, payment or inventory.") var service: String
    @Argument(help: "The row's number in `waybill outbox list`.") var seq: Int64
    @OptionGroup var common: CommonOptions

    func act(_ verb: String, body: JSONValue? = nil) async throws {
        guard OutboxCommand.services.contains(service) else {
            throw CommandEnd.failed(
                "\(service) has no outbox; use one of \(OutboxCommand.services.joined(separator: ", "))."
            )
        }
        let session = Session()
        _ = try await session.operatorJSON("POST", service, "/operator/outbox/\(seq)/\(verb)", body: body)
        await session.close()
        if common.json {
            JSONOutput.print(.object(["service": .string(service), "seq": .integer(seq), "done": .string(verb)]))
        } else {
            Console.print("\(service) \(seq): \(verb) done")
        }
    }
}
