import ArgumentParser
import Foundation
import StrictJSON
import Terminal

struct DeadLetterEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Make a repaired copy of a dead letter; the original is discarded.",
        discussion: """
            Examples:
              waybill dlq edit 3f2a… --file repaired.json --note "quantity was a text"
              waybill dlq show 3f2a… --json | jq -r .bodyText | sed 's/"2"/2/' | waybill dlq edit 3f2a… --file - --requeue

            The copy has a new message id; who sent it, what it is about and its trace cannot be changed. Its handler
            tries the payload first and a payload that it does not understand is refused.
            """
    )
    @Argument(help: "An id of `waybill dlq list`.") var id: String
    @Option(name: .long, help: "The service that holds it; without it all are asked.") var service: String?
    @Option(name: .long, help: "A file with the new payload; - for standard input.") var file: String?
    @Option(name: .long, help: "The new payload.") var body: String?
    @Option(name: .long, help: "The media type of the new payload.") var contentType: String?
    @Option(name: .long, help: "Why, for the journal.") var note: String?
    @Flag(name: .long, help: "Requeue the copy at once.") var requeue = false
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let payload = try payload()
        let session = Session()
        let (holder, result) = try await session.act(
            "edit",
            id,
            service: service,
            fields: [("body", payload), ("contentType", contentType), ("reason", note)]
        )
        guard let copy = result["newId"]?.stringValue else {
            throw CommandEnd.failed("\(holder) did not name the copy.")
        }
        var sent: JSONValue?
        if requeue { sent = try await session.act("requeue", copy, service: holder, fields: [("reason", note)]).result }
        await session.close()
        if common.json {
            return JSONOutput.print(
                .object(["service": .string(holder), "id": .string(copy), "requeue": sent ?? .null])
            )
        }
        Console.print("\(copy) is the repaired copy; \(id) is discarded.")
        if let sent { Console.print("\(copy): \(sent["result"]?.shown ?? "")") }
    }

    private func payload() throws -> String {
        switch (file, body) {
        case (nil, let body?): return body
        case (let file?, nil):
            let bytes =
                file == "-" ? try StandardInput.bytes() : FileManager.default.contents(atPath: file).map { [UInt8]($0) }
            guard let bytes else { throw CommandEnd.failed("\(file) cannot be read.") }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw CommandEnd.failed("The payload is not UTF-8.")
            }
            return text
        default: throw CommandEnd.failed("Give the new payload with --file or --body.")
        }
    }
}

struct DeadLetterDiscard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Give dead letters up; they can be restored until they are purged.",
        discussion: "Example: waybill dlq discard 3f2a… --reason \"test message\""
    )
    @OptionGroup var letters: DeadLetterIDs
    @Option(name: .long, help: "Why, for the journal.") var reason: String
    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await DeadLetterAct.run("discard", letters, reason: reason, json: common.json)
    }
}

struct DeadLetterRestore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Take discarded dead letters back.",
        discussion: "Example: waybill dlq restore 3f2a…"
    )
    @OptionGroup var letters: DeadLetterIDs
    @Option(name: .long, help: "Why, for the journal.") var note: String?
    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await DeadLetterAct.run("restore", letters, reason: note, json: common.json)
    }
}

struct DeadLetterPurge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Delete dead letters that were requeued or discarded. Held ones are never deleted.",
        discussion: """
            Examples:
              waybill dlq purge --older-than 7d              (only counts)
              waybill dlq purge --older-than 7d --confirm
              waybill dlq purge --state discarded --reason test --confirm

            Without --confirm nothing is deleted and the exit code is 1 when there is something to delete.
            """
    )
    @OptionGroup var choice: DeadLetterChoice
    @Option(name: .long, help: "requeued, discarded or all.") var state = "all"
    @Option(name: .long, help: "Only letters decided upon before this time, or so long ago: 7d.") var olderThan: String?
    @Option(name: .long, help: "Why, for the journal.") var note: String?
    @Flag(name: .long, help: "Really delete them; this cannot be undone.") var confirm = false
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        var total: Int64 = 0
        for service in try choice.services() {
            var body: JSONObject = [
                "filter": try choice.object(state: state), "dryRun": .bool(!confirm), "actor": .string(Session.person),
            ]
            if let olderThan { body["decidedBefore"] = .string(try PointInTime.text(olderThan)) }
            if let note { body["reason"] = .string(note) }
            let answer = try await session.operatorJSON(
                "POST",
                service,
                "/operator/dead-letters/purge",
                body: .object(body)
            )
            let count = answer["count"]?.integerValue ?? 0
            total += count
            if common.json {
                JSONOutput.print(
                    .object(["service": .string(service), "count": .integer(count), "deleted": .bool(confirm)])
                )
            } else if count > 0 {
                Console.print("\(service): \(grouped(count)) \(confirm ? "deleted" : "would be deleted")")
            }
        }
        await session.close()
        if total == 0, !common.json { Console.print("There is nothing to delete.") }
        if total > 0, !confirm { throw CommandEnd.no("Nothing was deleted; repeat the command with --confirm.") }
    }
}

/// The same act on several letters.
enum DeadLetterAct {
    /// - Throws: ``CommandEnd`` with code 1 when it could not be done to one of them.
    static func run(_ verb: String, _ letters: DeadLetterIDs, reason: String?, json: Bool) async throws {
        guard !letters.ids.isEmpty else { throw CommandEnd.failed("Name a letter by its id in `waybill dlq list`.") }
        let session = Session()
        var refused = 0
        for id in letters.ids {
            do throws(CommandEnd) {
                let (service, result) = try await act(verb, id, letters.service, reason, session)
                let outcome = result["result"]?.shown ?? ""
                if outcome == "failed" { refused += 1 }
                if json {
                    var object = result.objectValue ?? JSONObject()
                    object["id"] = .string(id)
                    JSONOutput.print(DeadLetterOutput.with(service, .object(object)))
                } else {
                    let more = result["sentence"]?.stringValue.map { "  " + Console.safe($0) } ?? ""
                    let shown = Console.colored(outcome, DeadLetterOutput.color(ofResult: outcome))
                    Console.print("\(service) \(id): \(verb) \(shown)\(more)")
                }
            } catch {
                guard error.code == 1 else { throw error }
                refused += 1
                Console.error("\(id): \(error.sentence)")
            }
        }
        await session.close()
        if refused > 0 { throw CommandEnd.no() }
    }

    private static func act(
        _ verb: String,
        _ id: String,
        _ service: String?,
        _ reason: String?,
        _ session: Session
    ) async throws(CommandEnd) -> (service: String, result: JSONValue) {
        guard id.hasPrefix("outbox-") else {
            return try await session.act(verb, id, service: service, fields: [("reason", reason)])
        }
        // A parked row of an outbox is listed with the dead letters: to requeue it is to let it be sent.
        guard let service, verb == "requeue" else {
            throw .failed("For \(id) use `waybill outbox unpark SERVICE SEQ` or `waybill outbox discard SERVICE SEQ`.")
        }
        _ = try await session.operatorJSON(
            "POST",
            service,
            "/operator/outbox/\(escaped(String(id.dropFirst(7))))/unpark"
        )
        return (service, .object(["result": "sent"]))
    }
}
