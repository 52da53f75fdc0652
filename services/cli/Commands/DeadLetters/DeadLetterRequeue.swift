import ArgumentParser
import StrictJSON
import Terminal

struct DeadLetterRequeue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requeue",
        abstract: "Send dead letters back to where they failed.",
        discussion: """
            Examples:
              waybill dlq requeue 3f2a…
              waybill dlq requeue --reason stock-unavailable --dry-run
              waybill dlq requeue --service payment --rate 5
              waybill dlq requeue --all

            Many letters are sent in growing batches (1, 2, 5, 10 …). When more of a batch fails again than
            --failure-percent allows, the rest stays where it is. The service does the work: it goes on when this command
            ends, and after the service was killed. `waybill dlq cancel` ends it.

            --dry-run runs the handlers, takes back what they did, and tells what would come of each letter.
            Exit codes: 0 all well, 1 something failed again or would, 2 it could not be carried out.
            """
    )
    @Argument(help: "Ids of `waybill dlq list`.") var ids: [String] = []
    @OptionGroup var choice: DeadLetterChoice
    @Flag(name: .long, help: "All held letters.") var all = false
    @Flag(name: .long, help: "Only tell what would come of it.") var dryRun = false
    @Option(name: .long, help: "The most letters per second; fractions are allowed.") var rate: Double?
    @Option(name: .long, help: "Stop when more than this share of a batch fails again.") var failurePercent = 25
    @Option(name: .long, help: "Seconds to wait for the outcomes of a batch.") var settle = 30
    @Flag(name: .long, help: "Start the work and do not wait for it.") var detach = false
    @Option(name: .long, help: "Why, for the journal.") var note: String?
    @OptionGroup var common: CommonOptions

    func run() async throws {
        if !ids.isEmpty {
            var letters = DeadLetterIDs()
            letters.ids = ids
            letters.service = choice.service
            if dryRun { return try await DeadLetterRehearsal.run(ids, choice.service, json: common.json) }
            return try await DeadLetterAct.run("requeue", letters, reason: note, json: common.json)
        }
        guard all || choice.isNarrowed else {
            throw CommandEnd.failed("Name letters by id, choose them with --reason, --type …, or say --all.")
        }
        if let rate, !(rate > 0 && rate <= 10_000) {
            throw CommandEnd.failed("The rate is a number of letters per second, more than 0 and at most 10,000.")
        }
        if dryRun { return try await DeadLetterRehearsal.run(choice, json: common.json) }
        let session = Session()
        var started = 0
        var isWell = true
        for service in try choice.services() {
            guard let job = try await start(service, session) else { continue }
            started += 1
            if detach {
                DeadLetterJobOutput.started(service, job, json: common.json)
            } else {
                let ended = try await follow(service, job, session)
                isWell = DeadLetterJobOutput.ended(service, ended, json: common.json) && isWell
            }
        }
        await session.close()
        if started == 0, !common.json { Console.print("There are no such dead letters.") }
        if !isWell { throw CommandEnd.no() }
    }

    /// - Returns: `nil` when the service holds no such letter.
    private func start(_ service: String, _ session: Session) async throws -> JSONValue? {
        let held = try await session.operatorJSON(
            "GET",
            service,
            "/operator/dead-letters?limit=1&" + (try choice.query(state: "held"))
        )
        guard held["items"]?.arrayValue?.isEmpty == false else { return nil }
        var body: JSONObject = [
            "filter": try choice.object(), "failurePercent": .integer(Int64(failurePercent)),
            "settleSeconds": .integer(Int64(settle)), "actor": .string(Session.person),
        ]
        if let rate { body["ratePerMinute"] = .integer(Int64(max(1, (rate * 60).rounded()))) }
        if let note { body["reason"] = .string(note) }
        return try await session.operatorJSON("POST", service, "/operator/dead-letter-jobs", body: .object(body))
    }

    private func follow(_ service: String, _ job: JSONValue, _ session: Session) async throws -> JSONValue {
        let id = job["id"]?.stringValue ?? ""
        let bar = ProgressBar(service)
        var status = job
        while status["state"]?.stringValue == "running" {
            try await Task.sleep(for: .milliseconds(150))
            status = try await session.operatorJSON("GET", service, "/operator/dead-letter-jobs/" + escaped(id))
            let total = status["total"]?.integerValue ?? 0
            bar.show(
                total - (status["waiting"]?.integerValue ?? 0),
                of: total,
                note: DeadLetterJobOutput.outcomes(status)
            )
        }
        bar.clear()
        return status
    }
}

struct DeadLetterJobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List the work of `waybill dlq requeue`, the newest first.",
        discussion: "Example: waybill dlq jobs"
    )
    @Option(name: .long, help: "Only this service.") var service: String?
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        var table = Table([
            .text("SERVICE"), .text("JOB"), .text("STATE"), .number("LETTERS"), .number("WAITING"), .text("STARTED"),
            .text("OUTCOMES"), .text("CHOICE AND MORE"),
        ])
        var count = 0
        for name in service.map({ [$0] }) ?? Session.services {
            let page = try await session.operatorJSON("GET", name, "/operator/dead-letter-jobs?limit=20")
            for job in page["items"]?.arrayValue ?? [] {
                count += 1
                if common.json { JSONOutput.print(DeadLetterOutput.with(name, job)) }
                let state = job["state"]?.shown ?? ""
                let more = [job["selection"]?.stringValue, job["detail"]?.stringValue].compactMap { $0 }
                table.add([
                    .init(name), .init(job["id"]?.shown ?? ""), .init(state, DeadLetterOutput.color(ofResult: state)),
                    .init(job["total"]?.integerValue), .init(job["waiting"]?.integerValue),
                    .init(job["startedAt"]?.shown ?? ""), .init(DeadLetterJobOutput.outcomes(job)),
                    .init(more.joined(separator: " · ")),
                ])
            }
        }
        await session.close()
        if common.json { return }
        count > 0 ? table.print() : Console.print("There was no such work.")
    }
}

struct DeadLetterCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "End running work of `waybill dlq requeue`; what was sent stays sent.",
        discussion: "Example: waybill dlq cancel payment 019a2f0c-… --note \"the gateway is down\""
    )
    @Argument(help: "The service.") var service: String
    @Argument(help: "The job's id in `waybill dlq jobs`.") var job: String
    @Option(name: .long, help: "Why, for the journal.") var note: String?
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        var body: JSONObject = ["actor": .string(Session.person)]
        if let note { body["reason"] = .string(note) }
        let path = "/operator/dead-letter-jobs/\(escaped(job))/cancel"
        let ended = try await session.operatorJSON("POST", service, path, body: .object(body))
        await session.close()
        _ = DeadLetterJobOutput.ended(service, ended, json: common.json)
    }
}

/// How jobs look.
enum DeadLetterJobOutput {
    /// `handled 12, failed 1`
    static func outcomes(_ job: JSONValue) -> String {
        (job["outcomes"]?.objectValue?.members ?? []).map { "\($0.key) \($0.value.shown)" }.joined(separator: ", ")
    }

    static func started(_ service: String, _ job: JSONValue, json: Bool) {
        if json { return JSONOutput.print(DeadLetterOutput.with(service, job)) }
        Console.print("\(service): job \(job["id"]?.shown ?? "") sends \(job["total"]?.shown ?? "") letters")
    }

    /// - Returns: whether nothing failed.
    static func ended(_ service: String, _ job: JSONValue, json: Bool) -> Bool {
        let state = job["state"]?.shown ?? ""
        if json {
            JSONOutput.print(DeadLetterOutput.with(service, job))
        } else {
            Console.print(
                "\(service): \(Console.colored(state, DeadLetterOutput.color(ofResult: state)))  \(outcomes(job)), "
                    + "waiting \(job["waiting"]?.shown ?? "")  (job \(job["id"]?.shown ?? ""))"
            )
            if let detail = job["detail"]?.stringValue { Console.print("  \(Console.safe(detail))") }
        }
        return state == "finished" && (job["outcomes"]?["failed"]?.integerValue ?? 0) == 0
    }
}
