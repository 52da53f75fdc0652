import ArgumentParser
import StrictJSON

/// `waybill dlq …`
struct DeadLetterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "Dead letters: look, send back, give up, take back.",
        subcommands: [Stats.self, List.self, Show.self, Requeue.self, Discard.self, Restore.self]
    )

    struct Stats: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How many dead letters there are, by cause.",
            discussion: "Example: waybill dlq stats"
        )
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            var table = Table([
                .text("SERVICE"), .text("CONSUMER"), .text("REASON"), .text("TYPE"), .text("STATE"), .number("COUNT"),
                .text("OLDEST"),
            ])
            var count = 0
            for service in Session.services {
                let page = try await session.operatorJSON("GET", service, "/operator/dead-letters/stats")
                for item in page["items"]?.arrayValue ?? [] {
                    count += 1
                    if common.json { JSONOutput.print(DeadLetterOutput.with(service, item)) }
                    table.add([
                        .init(service), .init(item["consumer"]?.shown ?? ""), .init(item["reason"]?.shown ?? ""),
                        .init(item["type"]?.shown ?? ""), .init(item["state"]?.shown ?? ""),
                        .init(item["count"]?.integerValue), .init(item["oldest"]?.shown ?? ""),
                    ])
                }
            }
            await session.close()
            if common.json { return }
            count > 0 ? table.print() : Console.print("There are no dead letters.")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List dead letters, the newest first.",
            discussion: """
                Examples:
                  waybill dlq list
                  waybill dlq list --service payment --reason payload-invalid
                """
        )
        @Option(name: .long, help: "Only this service.") var service: String?
        @Option(name: .long, help: "Only this message type.") var type: String?
        @Option(name: .long, help: "Only this reason.") var reason: String?
        @Option(name: .long, help: "Only about this order.") var order: String?
        @Option(name: .long, help: "held, requeued or discarded.") var state = "held"
        @Option(name: .long, help: "The most letters of each service.") var limit = 50
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            var query = "?state=\(escaped(state))&limit=\(limit)"
            if let type { query += "&type=" + escaped(type) }
            if let reason { query += "&reason=" + escaped(reason) }
            if let order { query += "&subject=" + escaped(order) }
            var table = Table([
                .text("SERVICE"), .text("ID"), .text("REASON"), .text("TYPE"), .text("SUBJECT"), .number("TRIES"),
                .text("FAILED"), .text("ERROR"),
            ])
            var count = 0
            for name in service.map({ [$0] }) ?? Session.services {
                let page = try await session.operatorJSON("GET", name, "/operator/dead-letters" + query)
                for item in page["items"]?.arrayValue ?? [] {
                    count += 1
                    if common.json { JSONOutput.print(DeadLetterOutput.with(name, item)) }
                    table.add([
                        .init(name), .init(item["id"]?.shown ?? ""), .init(item["reason"]?.shown ?? ""),
                        .init(item["type"]?.shown ?? ""), .init(item["subject"]?.shown ?? ""),
                        .init(item["attempts"]?.integerValue), .init(item["failedAt"]?.shown ?? ""),
                        .init(item["error"]?.shown ?? ""),
                    ])
                }
            }
            await session.close()
            if common.json { return }
            count > 0 ? table.print() : Console.print("There are no such dead letters.")
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one dead letter with its headers and payload.",
            discussion: "Example: waybill dlq show payment 3f2a…"
        )
        @OptionGroup var letter: DeadLetterArguments
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let item = try await session.operatorJSON(
                "GET",
                letter.service,
                "/operator/dead-letters/" + escaped(letter.id)
            )
            await session.close()
            if common.json { return JSONOutput.print(DeadLetterOutput.with(letter.service, item)) }
            var table = Table([.text("FIELD"), .text("VALUE")])
            for member in item.objectValue?.members ?? [] where member.key != "headers" && member.key != "bodyHex" {
                table.add([.init(member.key), .init(member.value.shown)])
            }
            for header in item["headers"]?.arrayValue ?? [] {
                table.add([
                    .init("header " + (header["name"]?.shown ?? ""), .quiet), .init(header["value"]?.shown ?? ""),
                ])
            }
            table.print()
        }
    }

    struct Requeue: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a dead letter back to where it failed.",
            discussion: "Example: waybill dlq requeue payment 3f2a…"
        )
        @OptionGroup var letter: DeadLetterArguments
        func run() async throws { try await letter.act("requeue") }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a dead letter up; it can be restored.",
            discussion: "Example: waybill dlq discard payment 3f2a… --reason \"test message\""
        )
        @OptionGroup var letter: DeadLetterArguments
        @Option(name: .long, help: "Why.") var reason: String
        func run() async throws { try await letter.act("discard", body: .object(["reason": .string(reason)])) }
    }

    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a discarded dead letter back.",
            discussion: "Example: waybill dlq restore payment 3f2a…"
        )
        @OptionGroup var letter: DeadLetterArguments
        func run() async throws { try await letter.act("restore") }
    }
}

/// Names one dead letter.
struct DeadLetterArguments: ParsableArguments {
    @Argument(help: "The service that holds it.") var service: String
    @Argument(help: "Its id in `waybill dlq list`.") var id: String

    func act(_ verb: String, body: JSONValue? = nil) async throws {
        let session = Session()
        _ = try await session.operatorJSON("POST", service, "/operator/dead-letters/\(escaped(id))/\(verb)", body: body)
        await session.close()
        Console.print("\(service) \(id): \(verb) done")
    }
}

/// How dead letters look.
enum DeadLetterOutput {
    static func with(_ service: String, _ item: JSONValue) -> JSONValue {
        var object = item.objectValue ?? JSONObject()
        object["service"] = .string(service)
        return .object(object)
    }
}
