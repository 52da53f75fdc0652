import ArgumentParser
import StrictJSON
import Terminal

/// `waybill webhook endpoint …`
struct WebhookEndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint",
        abstract: "Endpoints: who is told of what.",
        subcommands: [
            Add.self, List.self, Get.self, Secret.self, Pause.self, Resume.self, Enable.self, Disable.self, Verify.self,
            ResetBreaker.self, Rotate.self, Test.self, Remove.self,
        ]
    )

    static let path = "/operator/webhooks/endpoints"

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the endpoints.",
            discussion: "Example: waybill webhook endpoint list"
        )
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            var items: [JSONValue] = []
            var cursor = ""
            repeat {
                let page = try await session.operatorJSON(
                    "GET",
                    "notification",
                    WebhookEndpointCommand.path + "?limit=100" + (cursor.isEmpty ? "" : "&cursor=" + escaped(cursor))
                )
                items += page["items"]?.arrayValue ?? []
                cursor = page["next"]?.shown ?? ""
            } while !cursor.isEmpty
            await session.close()
            if common.json { return items.forEach(JSONOutput.print) }
            guard !items.isEmpty else {
                return Console.print("There are no endpoints; waybill webhook endpoint add URL adds one.")
            }
            var table = Table([.text("ID"), .text("STATE"), .text("BREAKER"), .text("EVENTS"), .text("URL")])
            for item in items {
                let state = item["state"]?.shown ?? ""
                let reason = item["reason"]?.stringValue.map { " (\($0))" } ?? ""
                let events = (item["eventTypes"]?.arrayValue ?? []).map(\.shown).joined(separator: " ")
                table.add([
                    .init(item["id"]?.shown ?? ""), .init(state + reason, state == "enabled" ? .good : .waiting),
                    .init(item["breaker"]?.shown ?? ""), .init(events.isEmpty ? "all" : events),
                    .init(item["url"]?.shown ?? ""),
                ])
            }
            table.print()
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one endpoint and what was done to it.",
            discussion: "Example: waybill webhook endpoint get 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await endpoint.act("GET", "", json: common.json)
            guard !common.json else { return }
            let session = Session()
            let path = WebhookEndpointCommand.path + "/\(escaped(endpoint.id))/journal"
            let journal = try await session.operatorJSON("GET", "notification", path)
            await session.close()
            var table = Table([.text("AT"), .text("ACT"), .text("STATE"), .text("BY"), .text("DETAIL")])
            for entry in (journal["items"]?.arrayValue ?? []).reversed() {
                table.add(["at", "action", "state", "actor", "detail"].map { .init(entry[$0]?.shown ?? "") })
            }
            table.print()
        }
    }

    struct Secret: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the secrets that are valid now, the newest first, and the public key.",
            discussion: "Example: waybill webhook endpoint secret 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let path = WebhookEndpointCommand.path + "/\(escaped(endpoint.id))/secret"
            let keys = try await session.operatorJSON("GET", "notification", path)
            await session.close()
            if common.json { return JSONOutput.print(keys) }
            for key in keys["secrets"]?.arrayValue ?? [] {
                let end = key["expiresAt"]?.stringValue.map { "  until \($0)" } ?? ""
                Console.print((key["secret"]?.shown ?? "") + end)
            }
            if let key = keys["publicKey"]?.stringValue { Console.print(key) }
        }
    }
}

/// Names one endpoint.
struct EndpointArguments: ParsableArguments {
    @Argument(help: "The endpoint's id or uid.") var id: String

    func act(_ method: String, _ verb: String, body: JSONValue? = nil, json: Bool) async throws {
        let session = Session()
        let answer = try await session.operatorJSON(
            method,
            "notification",
            WebhookEndpointCommand.path + "/" + escaped(id) + verb,
            body: body
        )
        await session.close()
        if json { return JSONOutput.print(answer) }
        guard let object = answer.objectValue else { return Console.print("\(id): done") }
        var table = Table([.text("FIELD"), .text("VALUE")])
        for member in object.members {
            let list = member.value.arrayValue?.map(\.shown).joined(separator: " ")
            let object = member.value.objectValue.map {
                String(decoding: StrictJSON.encode(.object($0)), as: UTF8.self)
            }
            table.add([.init(member.key), .init(list ?? object ?? member.value.shown)])
        }
        table.print()
    }
}
