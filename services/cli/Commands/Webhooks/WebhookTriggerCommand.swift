import ArgumentParser
import StrictJSON
import Terminal

/// `waybill webhook trigger`
struct WebhookTriggerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trigger",
        abstract: "Send a signed example event of a type, marked as a test.",
        discussion: """
            Goes to every endpoint that would get such an event, or to the one that is named. Its data is the published example; what
            --override makes of it has to fit the type's schema.

            Examples:
              waybill webhook trigger order.completed
              waybill webhook trigger payment.captured --override amount.minorUnits=1 --endpoint 019a2f0c-…
              waybill webhook trigger order.placed --override customerID=ada --override lines.0.quantity=7
            """
    )
    @Argument(help: "The event type: order.completed, waybill.payment.captured.v1 …") var type: String
    @Option(
        name: .customLong("override"),
        help: "A place in the data and its value, such as total.minorUnits=5; repeat it for more."
    )
    var changes: [String] = []
    @Option(name: .long, help: "Only this endpoint, by id or uid, whatever it wants.") var endpoint: String?
    @OptionGroup var common: CommonOptions

    func run() async throws {
        var overrides = JSONObject()
        for text in changes {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else { throw CommandEnd.failed("--override is place=value.") }
            // Numbers and the like are meant as such; everything else is text.
            overrides[String(parts[0])] = (try? StrictJSON.parse(Array(parts[1].utf8))) ?? .string(String(parts[1]))
        }
        let session = Session()
        let path = endpoint.map { WebhookEndpointCommand.path + "/\(escaped($0))/test" } ?? "/operator/webhooks/test"
        let answer = try await session.operatorJSON(
            "POST",
            "notification",
            path,
            body: .object(["type": .string(type), "overrides": .object(overrides)])
        )
        await session.close()
        let deliveries = answer["items"]?.arrayValue ?? [answer]
        if common.json { return deliveries.forEach(JSONOutput.print) }
        for delivery in deliveries {
            let id = delivery["id"]?.shown ?? ""
            Console.print(
                "\(delivery["type"]?.shown ?? "")  to endpoint \(delivery["endpointId"]?.shown ?? "")  delivery \(id)"
            )
        }
        if deliveries.isEmpty { throw CommandEnd.no("No enabled endpoint wants such an event.") }
    }
}
