import ArgumentParser
import Foundation
import StrictJSON
import Terminal

extension WebhookEndpointCommand {
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
}
