import ArgumentParser
import StrictJSON
import Terminal

/// `waybill webhook recover …`
struct WebhookRecoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Send again what an endpoint missed, in order.",
        subcommands: [Start.self, List.self, Cancel.self, Resume.self],
        defaultSubcommand: Start.self
    )

    static let path = "/operator/webhooks/recoveries"

    struct Start: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Begin again what was given up, skipped or cancelled since a time; what was delivered is left alone.",
            discussion: """
                The work goes on in the service, also after it was killed; this command follows it, and may be ended.

                Examples:
                  waybill webhook recover ID --since 2h --dry-run
                  waybill webhook recover ID --since 2026-01-02T03:00:00Z --events 'order.*' --per-second 20
                  waybill webhook recover ID --since 7d --missing --detach

                Exit codes: 0 done, 1 cancelled meanwhile, 2 it could not be carried out.
                """
        )
        @Argument(help: "The endpoint's id or uid.") var id: String
        @Option(name: .long, help: "From this time on: 2026-01-31T12:00:00Z, or 90s, 30m, 2h, 7d ago.") var since:
            String
        @Option(name: .long, help: "Before this time; now unless given.") var until: String?
        @Option(name: .long, help: "Only these events; repeat it for more.") var events: [String] = []
        @Option(name: .long, help: "Only where the last answer was of this class: 3, 4 or 5.") var statusClass: Int64?
        @Option(name: .long, help: "Begin at most so many per second.") var perSecond: Int64?
        @Option(name: .long, help: "A name for this work: asking again with it starts nothing new.") var name: String?
        @Flag(name: .long, help: "Also events that it never got, such as those before it was added.") var missing =
            false
        @Flag(name: .long, help: "Only count.") var dryRun = false
        @Flag(name: .long, help: "Do not follow it.") var detach = false
        @OptionGroup var common: CommonOptions

        func run() async throws {
            var body: JSONObject = [
                "endpoint": .string(id), "since": .string(try PointInTime.text(since)),
                "includeMissing": .bool(missing),
                "dryRun": .bool(dryRun), "eventTypes": .array(events.map(JSONValue.string)),
            ]
            if let until { body["until"] = .string(try PointInTime.text(until)) }
            if let statusClass { body["statusClass"] = .integer(statusClass) }
            if let perSecond { body["perSecond"] = .integer(perSecond) }
            if let name { body["request"] = .string(name) }
            let session = Session()
            var job = try await session.operatorJSON(
                "POST",
                "notification",
                WebhookRecoverCommand.path,
                body: .object(body)
            )
            if dryRun {
                await session.close()
                let count = job["deliveries"]?.shown ?? "0"
                return common.json ? JSONOutput.print(job) : Console.print("\(count) deliveries would be begun again")
            }
            let path = WebhookRecoverCommand.path + "/" + escaped(job["id"]?.shown ?? "")
            while !detach, job["state"]?.stringValue == "running" {
                if Console.showsProgress, !common.json { Console.progress(WebhookRecoverCommand.sentence(job)) }
                try await Task.sleep(for: .milliseconds(300))
                job = try await session.operatorJSON("GET", "notification", path)
            }
            if Console.showsProgress, !common.json { Console.progress("") }
            await session.close()
            WebhookRecoverCommand.show(job, json: common.json)
            if job["state"]?.stringValue == "cancelled" { throw CommandEnd.no() }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List recoveries, the newest first.",
            discussion: "Example: waybill webhook recover list"
        )
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let page = try await session.operatorJSON("GET", "notification", WebhookRecoverCommand.path)
            await session.close()
            let items = page["items"]?.arrayValue ?? []
            if common.json { return items.forEach(JSONOutput.print) }
            guard !items.isEmpty else { throw CommandEnd.no("There are no recoveries.") }
            var table = Table([
                .text("ID"), .text("STATE"), .number("LOOKED AT"), .number("BEGUN"), .text("SINCE"), .text("ENDPOINT"),
            ])
            for item in items {
                table.add([
                    .init(item["id"]?.shown ?? ""), .init(item["state"]?.shown ?? ""),
                    .init(item["examined"]?.integerValue), .init(item["recovered"]?.integerValue),
                    .init(item["since"]?.shown ?? ""), .init(item["endpointId"]?.shown ?? ""),
                ])
            }
            table.print()
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop a recovery; what it began goes on.",
            discussion: "Example: waybill webhook recover cancel 019a2f0c-…"
        )
        @Argument(help: "The recovery's id.") var id: String
        @OptionGroup var common: CommonOptions
        func run() async throws { try await WebhookRecoverCommand.act(id, "cancel", json: common.json) }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a cancelled recovery go on where it stopped.",
            discussion: "Example: waybill webhook recover resume 019a2f0c-…"
        )
        @Argument(help: "The recovery's id.") var id: String
        @OptionGroup var common: CommonOptions
        func run() async throws { try await WebhookRecoverCommand.act(id, "resume", json: common.json) }
    }

    private static func act(_ id: String, _ verb: String, json: Bool) async throws {
        let session = Session()
        let job = try await session.operatorJSON("POST", "notification", path + "/\(escaped(id))/\(verb)")
        await session.close()
        show(job, json: json)
    }

    private static func show(_ job: JSONValue, json: Bool) {
        if json { return JSONOutput.print(job) }
        Console.print("\(job["id"]?.shown ?? ""): \(job["state"]?.shown ?? ""), \(sentence(job))")
    }

    private static func sentence(_ job: JSONValue) -> String {
        "\(job["examined"]?.shown ?? "0") events looked at, \(job["recovered"]?.shown ?? "0") begun again"
    }
}
