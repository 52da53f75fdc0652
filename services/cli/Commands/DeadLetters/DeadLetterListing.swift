import ArgumentParser
import StrictJSON
import Terminal

/// By what letters are counted.
enum DeadLetterGrouping: String, ExpressibleByArgument, CaseIterable {
    case reason, type, service
}

struct DeadLetterStats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "How many dead letters there are, by cause, and how many wait in queues that nobody drains.",
        discussion: """
            Examples:
              waybill dlq stats
              waybill dlq stats --group-by service

            A service that is down cannot be asked; its letters wait in its queue and are counted there. Then the exit
            code is 2, since the numbers are not whole.
            """
    )
    @Option(name: .long, help: "reason, type or service.") var groupBy: DeadLetterGrouping?
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        var counts: [JSONValue] = []
        var silent: [String] = []
        for service in Session.services {
            do {
                let page = try await session.operatorJSON("GET", service, "/operator/dead-letters/stats")
                counts += (page["items"]?.arrayValue ?? []).map { DeadLetterOutput.with(service, $0) }
                if let parked = page["parked"]?.integerValue, parked > 0 {
                    counts.append(
                        .object([
                            "service": .string(service), "consumer": "outbox", "reason": "outbox-parked",
                            "type": .null, "state": "parked", "count": .integer(parked),
                        ])
                    )
                }
            } catch {
                silent.append(service)
                Console.error("\(service): \(error.sentence)")
            }
        }
        for (queue, messages) in await BrokerQueues.deadLetters(session) where messages > 0 {
            counts.append(
                .object([
                    "service": .string(String(queue.prefix { $0 != "." })), "consumer": .string(queue),
                    "reason": "waiting-in-queue", "type": .null, "state": "queued", "count": .integer(messages),
                ])
            )
        }
        await session.close()
        if let groupBy { counts = DeadLetterOutput.tally(counts, by: groupBy) }
        if common.json {
            for item in counts { JSONOutput.print(item) }
        } else if counts.isEmpty {
            Console.print("There are no dead letters.")
        } else if let groupBy {
            DeadLetterOutput.groups(counts, by: groupBy)
        } else {
            DeadLetterOutput.counts(counts)
        }
        guard silent.isEmpty else {
            throw CommandEnd.failed("Not asked: \(silent.joined(separator: ", ")).")
        }
    }
}

struct DeadLetterList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List dead letters, the newest first, with messages that are parked in an outbox.",
        discussion: """
            Examples:
              waybill dlq list
              waybill dlq list --service payment --reason payload-invalid
              waybill dlq list --group-by reason
              waybill dlq list --text 019a2f0c --state all
            """
    )
    @OptionGroup var choice: DeadLetterChoice
    @Option(name: .long, help: "held, requeued, discarded or all.") var state = "held"
    @Option(name: .long, help: "Count them by reason, type or service.") var groupBy: DeadLetterGrouping?
    @Option(name: .long, help: "The most letters of each service.") var limit = 50
    @OptionGroup var common: CommonOptions

    func run() async throws {
        guard limit > 0 else { throw CommandEnd.failed("The limit is a whole number from 1.") }
        let session = Session()
        var items: [JSONValue] = []
        var cut = false
        for service in try choice.services() {
            let most = groupBy == nil ? limit : 100_000
            let found = try await DeadLetterOutput.letters(session, service, choice, state: state, limit: most)
            items += found.items.map { DeadLetterOutput.with(service, $0) }
            cut = cut || found.hasMore
        }
        await session.close()
        if let groupBy {
            let groups = DeadLetterOutput.tally(items, by: groupBy)
            if common.json { return groups.forEach(JSONOutput.print) }
            return groups.isEmpty
                ? Console.print("There are no such dead letters.") : DeadLetterOutput.groups(groups, by: groupBy)
        }
        if common.json { return items.forEach(JSONOutput.print) }
        guard !items.isEmpty else { return Console.print("There are no such dead letters.") }
        DeadLetterOutput.list(items)
        if cut { Console.error("There are more; see --limit, or count them with --group-by.") }
    }
}

struct DeadLetterShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one dead letter: why, payload, headers, what was done about it, and its order so far.",
        discussion: "Example: waybill dlq show 3f2a…"
    )
    @Argument(help: "An id of `waybill dlq list`.") var id: String
    @Option(name: .long, help: "The service that holds it; without it all are asked.") var service: String?
    @Flag(name: .long, help: "The whole payload, however long.") var full = false
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        let (holder, letter) = try await session.letter(id, service: service)
        let acts = try await session.operatorJSON(
            "GET",
            holder,
            "/operator/dead-letters/acts?limit=100&letter=" + escaped(id)
        )
        var timeline: JSONValue?
        if let subject = letter["subject"]?.stringValue, let url = try? session.url(of: "order") {
            // Not every letter is about an order, and the order service may be down.
            timeline = try? await session.json("GET", url + "/v1/orders/\(escaped(subject))/timeline")
        }
        await session.close()
        if common.json {
            var object = DeadLetterOutput.with(holder, letter).objectValue ?? JSONObject()
            object["acts"] = acts["items"] ?? .array([])
            object["timeline"] = timeline ?? .null
            return JSONOutput.print(.object(object))
        }
        DeadLetterOutput.show(holder, letter, full: full)
        let items = acts["items"]?.arrayValue ?? []
        if !items.isEmpty {
            Console.print("")
            Console.print(Console.colored("What was done", .strong))
            DeadLetterOutput.acts(items.reversed().map { DeadLetterOutput.with(holder, $0) })
        }
        if let timeline {
            Console.print("")
            Console.print(Console.colored("Its order so far", .strong))
            OrderOutput.timeline(timeline)
        }
    }
}

struct DeadLetterExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write dead letters with headers and payloads as JSON lines.",
        discussion: "Example: waybill dlq export --state all > dead-letters.jsonl"
    )
    @OptionGroup var choice: DeadLetterChoice
    @Option(name: .long, help: "held, requeued, discarded or all.") var state = "all"
    /// Changes nothing here: what comes out is for programs in any case.
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        var count = 0
        for service in try choice.services() {
            try await DeadLetterOutput.pages(session, service, choice, state: state) { items, _ in
                for item in items {
                    let path = "/operator/dead-letters/" + escaped(item["id"]?.stringValue ?? "")
                    let letter = try await session.operatorJSON("GET", service, path, limits: .wholeLetter)
                    JSONOutput.print(DeadLetterOutput.with(service, letter))
                    count += 1
                }
                return true
            }
        }
        await session.close()
        Console.error("\(count) dead letters exported.")
    }
}

struct DeadLetterHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "What was done about dead letters: who, when, why, and what came of it.",
        discussion: """
            Examples:
              waybill dlq history
              waybill dlq history 3f2a…
              waybill dlq history --job 019a2f0c-…
            """
    )
    @Argument(help: "Only acts on this letter.") var id: String?
    @Option(name: .long, help: "Only this service.") var service: String?
    @Option(name: .long, help: "Only acts of this job.") var job: String?
    @Option(name: .long, help: "The most acts of each service, up to 1000.") var limit = 100
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        var items: [JSONValue] = []
        for name in service.map({ [$0] }) ?? Session.services {
            var path = "/operator/dead-letters/acts?limit=\(limit)"
            if let id { path += "&letter=" + escaped(id) }
            if let job { path += "&job=" + escaped(job) }
            let page = try await session.operatorJSON("GET", name, path)
            items += (page["items"]?.arrayValue ?? []).map { DeadLetterOutput.with(name, $0) }
        }
        await session.close()
        items.sort {
            ($0["at"]?.shown ?? "", $0["seq"]?.integerValue ?? 0) < (
                $1["at"]?.shown ?? "", $1["seq"]?.integerValue ?? 0
            )
        }
        if common.json { return items.forEach(JSONOutput.print) }
        items.isEmpty ? Console.print("Nothing was done.") : DeadLetterOutput.acts(items)
    }
}
