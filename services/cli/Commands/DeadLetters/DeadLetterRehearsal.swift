import StrictJSON
import Terminal

/// `--dry-run`: what would come of requeueing.
enum DeadLetterRehearsal {
    static func run(_ ids: [String], _ service: String?, json: Bool) async throws {
        let session = Session()
        var lines: [JSONValue] = []
        for id in ids {
            let (holder, result) = try await session.act("rehearse", id, service: service)
            var object = result.objectValue ?? JSONObject()
            object["id"] = .string(id)
            lines.append(DeadLetterOutput.with(holder, .object(object)))
        }
        await session.close()
        try tell(lines, json: json)
    }

    static func run(_ choice: DeadLetterChoice, json: Bool) async throws {
        let session = Session()
        var lines: [JSONValue] = []
        for service in try choice.services() {
            var cursor: String?
            repeat {
                var body: JSONObject = ["filter": try choice.object(), "limit": 100]
                if let cursor { body["cursor"] = .string(cursor) }
                let path = "/operator/dead-letters/rehearse"
                let page = try await session.operatorJSON("POST", service, path, body: .object(body))
                lines += (page["items"]?.arrayValue ?? []).map { DeadLetterOutput.with(service, $0) }
                cursor = page["next"]?.stringValue
            } while cursor != nil
        }
        await session.close()
        try tell(lines, json: json)
    }

    private static func tell(_ lines: [JSONValue], json: Bool) throws {
        if json {
            lines.forEach(JSONOutput.print)
        } else if lines.isEmpty {
            Console.print("There are no such dead letters.")
        } else {
            var table = Table([.text("SERVICE"), .text("ID"), .text("WOULD"), .text("BECAUSE")])
            for line in lines {
                let result = line["result"]?.shown ?? ""
                let (code, sentence) = (line["code"]?.stringValue, line["sentence"]?.stringValue)
                // Sentences about JSON begin with their code already.
                let isRepeated = code.map { sentence?.hasPrefix($0) ?? false } ?? false
                let why = [isRepeated ? nil : code, sentence].compactMap { $0 }
                table.add([
                    .init(line["service"]?.shown ?? ""), .init(line["id"]?.shown ?? ""),
                    .init(phrase(result), DeadLetterOutput.color(ofResult: result)),
                    .init(why.joined(separator: ": ")),
                ])
            }
            table.print()
        }
        let bad = lines.filter { ["failed", "impossible"].contains($0["result"]?.shown ?? "") }.count
        if bad > 0 { throw CommandEnd.no(json ? "" : "\(bad) of \(lines.count) would not succeed.") }
    }

    private static func phrase(_ result: String) -> String {
        switch result {
        case "handled": "succeed"
        case "noop": "succeed, nothing to change"
        case "duplicate": "be a duplicate"
        case "sent": "be sent again"
        case "refused": "be refused by a rule"
        case "failed": "fail again"
        default: "not be possible"
        }
    }
}
