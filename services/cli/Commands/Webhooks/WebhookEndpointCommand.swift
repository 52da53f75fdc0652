import ArgumentParser
import Foundation
import StrictJSON

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

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add an endpoint; its secret is shown once.",
            discussion: """
                Examples:
                  waybill webhook endpoint add http://127.0.0.1:9000/hook
                  waybill webhook endpoint add https://shop.example/hook --events order.completed --events 'payment.*'
                  waybill webhook endpoint add https://shop.example/hook --ordered --header 'authorization: Bearer …'
                  waybill webhook endpoint add https://shop.example/hook --filter '{"data":{"total":{"minorUnits":{"$gte":10000}}}}'
                  waybill webhook endpoint add https://ops.example/hook --events 'webhook.*'
                """
        )
        @Argument(help: "Where to send.") var url: String
        @Option(name: .long, help: "An event type or pattern; repeat it for more; all unless given.") var events:
            [String] = []
        @Option(name: .long, help: "For people.") var description = ""
        @Option(name: .long, help: "A secret of your own (whsec_…); a new one unless given.") var secret: String?
        @Option(name: .long, help: "A name of your own by which the endpoint can be called.") var uid: String?
        @Option(name: .long, help: "A header that is added, 'name: value'; repeat it for more.") var header: [String] =
            []
        @Option(name: .long, help: "Only events whose content fits this pattern, JSON; see docs/webhooks.md.")
        var filter: String?
        @Option(name: .long, help: "Only events of this channel, such as customer:ID; repeat it for more.") var channel:
            [String] =
                []
        @Option(name: .long, help: "How long one attempt may take: 15s, 500ms.") var timeout: Span?
        @Option(name: .long, help: "Requests per second at most.") var throttle: Int64?
        @Option(name: .long, help: "Requests at the same time at most.") var maxInFlight: Int64?
        @Option(name: .long, help: "Delays after failures, separated by commas: 5s,5m,30m.") var schedule: String?
        @Option(name: .long, help: "Signatures: v1, v1a or v1+v1a.") var signs: String?
        @Flag(name: .long, help: "Deliver the events of one order strictly one after the other.") var ordered = false
        @Flag(name: .long, help: "With --ordered: an order whose delivery was given up waits for a person.") var park =
            false
        @Flag(name: .long, help: "Send only the order's id and where to read the rest.") var thin = false
        @Flag(name: .long, help: "CloudEvents' binary mode: attributes as headers, the body is the data alone.")
        var binary = false
        @Flag(name: .long, help: "Send nothing until the receiver agreed (CloudEvents' handshake).") var asksConsent =
            false
        @OptionGroup var common: CommonOptions

        /// What is given beside address, events, description and secret.
        private func settings() throws -> JSONObject {
            var body = JSONObject()
            if let uid { body["uid"] = .string(uid) }
            if !channel.isEmpty { body["channels"] = .array(channel.map(JSONValue.string)) }
            if let timeout { body["timeoutMs"] = .integer(timeout.milliseconds) }
            if let throttle { body["throttlePerSecond"] = .integer(throttle) }
            if let maxInFlight { body["maxInFlight"] = .integer(maxInFlight) }
            if let signs { body["signs"] = .string(signs) }
            if park { body["onExhausted"] = "park" }
            if thin { body["payload"] = "thin" }
            if binary { body["format"] = "binary" }
            if asksConsent { body["asksConsent"] = true }
            if let filter {
                do throws(JSONFault) {
                    body["filter"] = try StrictJSON.parse(Array(filter.utf8))
                } catch {
                    throw CommandEnd.failed("--filter is no JSON: \(error.sentence)")
                }
            }
            if let schedule {
                let delays = schedule.split(separator: ",").map { Span(argument: String($0)) }
                guard !delays.contains(where: { $0 == nil }) else {
                    throw CommandEnd.failed("--schedule is times such as 5s,5m,30m.")
                }
                body["scheduleMs"] = .array(delays.compactMap { $0 }.map { .integer($0.milliseconds) })
            }
            guard !header.isEmpty else { return body }
            var headers = JSONObject()
            for line in header {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { throw CommandEnd.failed("--header is 'name: value'.") }
                headers[String(parts[0])] = .string(parts[1].trimmingCharacters(in: .whitespaces))
            }
            body["headers"] = .object(headers)
            return body
        }

        func run() async throws {
            var body: JSONObject = ["url": .string(url), "description": .string(description)]
            if !events.isEmpty { body["eventTypes"] = .array(events.map(JSONValue.string)) }
            if let secret { body["secret"] = .string(secret) }
            if ordered { body["ordering"] = "key" }
            for member in try settings().members { body[member.key] = member.value }
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

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a disabled endpoint have events again; its breaker and counters begin anew.",
            discussion: "Example: waybill webhook endpoint enable 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/enable", json: common.json) }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send nothing more; new events are noted as skipped and can be recovered.",
            discussion: "Example: waybill webhook endpoint disable 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/disable", json: common.json) }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask the receiver for its consent, again; nothing is sent until it agreed.",
            discussion: "Example: waybill webhook endpoint verify 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/verify", json: common.json) }
    }

    struct ResetBreaker: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Close the breaker and end a hold: try again now.",
            discussion: "Example: waybill webhook endpoint reset-breaker 019a2f0c-…"
        )
        @OptionGroup var endpoint: EndpointArguments
        @OptionGroup var common: CommonOptions
        func run() async throws { try await endpoint.act("POST", "/reset-breaker", json: common.json) }
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
            let object = member.value.objectValue.map {
                String(decoding: StrictJSON.encode(.object($0)), as: UTF8.self)
            }
            table.add([.init(member.key), .init(list ?? object ?? member.value.shown)])
        }
        table.print()
    }
}
