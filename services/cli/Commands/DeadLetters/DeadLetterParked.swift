import ArgumentParser
import StrictJSON
import Terminal

struct DeadLetterParked: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parked",
        abstract: "List keys of the event log that wait for another attempt: not dead letters yet.",
        discussion: """
            Example: waybill dlq parked

            The first record of such a key failed in a way that may pass. It is tried again by itself, with growing pauses;
            later records of the key wait behind it, in order, and all other keys go on. When its attempts are used up it
            becomes a dead letter, and the next of its key is tried.
            """
    )
    @Option(name: .long, help: "Only this service.") var service: String?
    @Option(name: .long, help: "The most keys of each service, up to 1000.") var limit = 100
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        var items: [JSONValue] = []
        for name in service.map({ [$0] }) ?? Session.services {
            let page = try await session.operatorJSON("GET", name, "/operator/parked-keys?limit=\(limit)")
            items += (page["items"]?.arrayValue ?? []).map { DeadLetterOutput.with(name, $0) }
        }
        await session.close()
        if common.json { return items.forEach(JSONOutput.print) }
        guard !items.isEmpty else { return Console.print("No key waits.") }
        var table = Table([
            .text("SERVICE"), .text("CONSUMER"), .text("TOPIC"), .text("KEY"), .number("RECORDS"), .number("TRIES"),
            .text("SINCE"), .text("NEXT TRY"), .text("ERROR"),
        ])
        for item in items {
            table.add([
                .init(item["service"]?.shown ?? ""), .init(item["consumer"]?.shown ?? ""),
                .init(
                    "\(item["topic"]?.shown ?? "")/\(item["partition"]?.shown ?? "")@\(item["offset"]?.shown ?? "")"
                ),
                .init(item["subject"]?.shown ?? ""), .init(item["records"]?.integerValue),
                .init(item["attempts"]?.integerValue), .init(item["parkedAt"]?.shown ?? ""),
                .init(item["nextAttemptAt"]?.shown ?? ""), .init(item["error"]?.shown ?? ""),
            ])
        }
        table.print()
    }
}
