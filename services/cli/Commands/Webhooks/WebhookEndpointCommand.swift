import ArgumentParser
import StrictJSON

/// `waybill webhook endpoint …`
struct WebhookEndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint",
        abstract: "Endpoints: who is told of what.",
        subcommands: [
            Add.self, List.self, Get.self, Pause.self, Resume.self, Remove.self, Rotate.self, Test.self,
        ]
    )

    static let path = "/operator/webhooks/endpoints"

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add an endpoint; its secret is shown once.",
            discussion: """
                Examples:
                  waybill webhook endpoint add http://127.0.0.1:9000/hook
                  waybill webhook endpoint add https://shop.example/hook --events order.completed --events payment.*
                """
        )
        @Argument(help: "Where to send.") var url: String
        @Option(name: .long, help: "An event type or pattern; repeat it for more; all unless given.") var events:
            [String] = []
        @Option(name: .long, help: "For people.") var description = ""
        @Option(name: .long, help: "A secret of your own (whsec_…); a new one unless given.") var secret: String?
        @Flag(name: .long, help: "Deliver the events of one order strictly one after the other.") var ordered = false
        @OptionGroup var common: CommonOptions

        func run() async throws {
            var body: JSONObject = ["url": .string(url), "description": .string(description)]
            if !events.isEmpty { body["eventTypes"] = .array(events.map(JSONValue.string)) }
            if let secret { body["secret"] = .string(secret) }
            if ordered { body["ordering"] = "key" }
            let session = Session()
            let endpoint = try await session.operatorJSON(
                "POST",
                "notification",
                WebhookEndpointCommand.path,
                body: .object(body)
            )
            await session.close()
            if common.json { return JSONOutput.print(endpoint) }
            Console.print("endpoint \(Console.colored(endpoint["id"]?.shown ?? "", .strong))  \(Console.safe(url))")
            Console.print("secret   \(endpoint["secret"]?.shown ?? "")")
        }
    }

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
            abstract: "Show one endpoint.",
            discussion: "Example: waybill webhook endpoint get 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("GET", "", json: common.json) }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold deliveries back; they wait.",
            discussion: "Example: waybill webhook endpoint pause 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/pause", json: common.json) }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let deliveries go on, in order.",
            discussion: "Example: waybill webhook endpoint resume 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/resume", json: common.json) }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an endpoint; what waits for it is cancelled.",
            discussion: "Example: waybill webhook endpoint remove 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("DELETE", "", json: common.json) }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give an endpoint a new secret; the old one also signs until the grace time ends.",
            discussion: "Example: waybill webhook endpoint rotate 019a2f0c-… --grace 3600"
        )
        @OptionGroup var endpoint: EndpointArguments
        @Option(name: .long, help: "Seconds, 0 to 604800.") var grace = 86_400
        @OptionGroup var common: CommonOptions
        func run() async throws {
            try await endpoint.act(
                "POST",
                "/rotate",
                body: .object(["graceSeconds": .integer(Int64(grace))]),
                json: common.json
            )
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a signed example event.",
            discussion: "Example: waybill webhook endpoint test 019a2f0c-… --type waybill.order.completed.v1"
        )
        @OptionGroup var endpoint: EndpointArguments
        @Option(name: .long, help: "The type of the example.") var type: String?
        @OptionGroup var common: CommonOptions
        func run() async throws {
            let body: JSONObject = type.map { ["type": .string($0)] } ?? [:]
            try await endpoint.act("POST", "/test", body: .object(body), json: common.json)
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
            table.add([.init(member.key), .init(list ?? member.value.shown)])
        }
        table.print()
    }
}
