import StrictJSON
import Terminal

/// How dead letters are fetched and look.
enum DeadLetterOutput {
    /// The most bytes of a payload that a person sees unless asked for more.
    private static let shownPayload = 2000

    static func with(_ service: String, _ item: JSONValue) -> JSONValue {
        var object = item.objectValue ?? JSONObject()
        object["service"] = .string(service)
        return .object(object)
    }

    /// Pages of letters, until there are no more or `body` says to stop.
    ///
    /// - Parameter body: gets the letters, and the parked rows that come with the first page.
    static func pages(
        _ session: Session,
        _ service: String,
        _ choice: DeadLetterChoice,
        state: String,
        size: Int = 500,
        _ body: ([JSONValue], [JSONValue]) async throws -> Bool
    ) async throws {
        var cursor: String?
        repeat {
            var path = "/operator/dead-letters?limit=\(size)&" + (try choice.query(state: state))
            if let cursor { path += "&cursor=" + escaped(cursor) }
            let page = try await session.operatorJSON("GET", service, path)
            guard try await body(page["items"]?.arrayValue ?? [], page["parked"]?.arrayValue ?? []) else { return }
            cursor = page["next"]?.stringValue
        } while cursor != nil
    }

    static func letters(
        _ session: Session,
        _ service: String,
        _ choice: DeadLetterChoice,
        state: String,
        limit: Int
    ) async throws -> (items: [JSONValue], hasMore: Bool) {
        var items: [JSONValue] = []
        try await pages(session, service, choice, state: state, size: min(1000, limit + 1)) { letters, parked in
            items += parked + letters
            return items.count <= limit
        }
        return (Array(items.prefix(limit)), items.count > limit)
    }

    static func list(_ items: [JSONValue]) {
        var table = Table([
            .text("SERVICE"), .text("ID"), .text("REASON"), .text("TYPE"), .text("SUBJECT"), .number("TRIES"),
            .text("FAILED"), .text("STATE"), .text("ERROR"),
        ])
        for item in items {
            let state = item["state"]?.shown ?? ""
            table.add([
                .init(item["service"]?.shown ?? ""), .init(item["id"]?.shown ?? ""),
                .init(item["reason"]?.shown ?? ""), .init(item["type"]?.shown ?? ""),
                .init(item["subject"]?.shown ?? ""), .init(item["attempts"]?.integerValue),
                .init(item["failedAt"]?.shown ?? ""), .init(state, color(ofState: state)),
                .init(item["error"]?.shown ?? ""),
            ])
        }
        table.print()
    }

    static func counts(_ items: [JSONValue]) {
        var table = Table([
            .text("SERVICE"), .text("CONSUMER"), .text("REASON"), .text("TYPE"), .text("STATE"), .number("COUNT"),
            .text("OLDEST"),
        ])
        for item in items {
            let state = item["state"]?.shown ?? ""
            table.add([
                .init(item["service"]?.shown ?? ""), .init(item["consumer"]?.shown ?? ""),
                .init(item["reason"]?.shown ?? ""), .init(item["type"]?.shown ?? ""),
                .init(state, color(ofState: state)), .init(item["count"]?.integerValue),
                .init(item["oldest"]?.shown ?? ""),
            ])
        }
        table.print()
    }

    /// Counts by one property and the state, the largest first. Takes letters, and counts of letters.
    static func tally(_ items: [JSONValue], by grouping: DeadLetterGrouping) -> [JSONValue] {
        struct Key: Hashable {
            let name: String
            let state: String
        }
        var counts: [Key: Int64] = [:]
        for item in items {
            let key = Key(name: item[grouping.rawValue]?.shown ?? "", state: item["state"]?.shown ?? "")
            counts[key, default: 0] += item["count"]?.integerValue ?? 1
        }
        return counts.sorted { ($1.value, $0.key.name, $0.key.state) < ($0.value, $1.key.name, $1.key.state) }.map {
            .object([
                grouping.rawValue: .string($0.key.name), "state": .string($0.key.state), "count": .integer($0.value),
            ])
        }
    }

    static func groups(_ items: [JSONValue], by grouping: DeadLetterGrouping) {
        var table = Table([.text(grouping.rawValue.uppercased()), .text("STATE"), .number("COUNT")])
        for item in items {
            let name = item[grouping.rawValue]?.shown ?? ""
            let state = item["state"]?.shown ?? ""
            table.add([
                .init(name.isEmpty ? "(unreadable)" : name), .init(state, color(ofState: state)),
                .init(item["count"]?.integerValue),
            ])
        }
        table.print()
    }

    static func show(_ service: String, _ letter: JSONValue, full: Bool) {
        var table = Table([.text("FIELD"), .text("VALUE")])
        table.add(["service", .init(service)])
        let apart = ["headers", "bodyHex", "bodyText"]
        for member in letter.objectValue?.members ?? []
        where !apart.contains(member.key) && !member.value.isNull && member.value.shown != "" {
            table.add([.init(member.key), .init(member.value.shown)])
        }
        for header in letter["headers"]?.arrayValue ?? [] {
            table.add([
                .init("header " + (header["name"]?.shown ?? ""), .quiet), .init(header["value"]?.shown ?? ""),
            ])
        }
        table.print()
        let text = letter["bodyText"]?.stringValue ?? ""
        let bytes = (letter["bodyHex"]?.stringValue?.utf8.count ?? 0) / 2
        Console.print("")
        Console.print(Console.colored("Payload, \(grouped(Int64(bytes))) bytes", .strong))
        Console.print(Console.safe(full ? text : String(text.prefix(shownPayload))))
        if !full, text.count > shownPayload { Console.print("… --full shows the rest.") }
    }

    static func acts(_ items: [JSONValue]) {
        var table = Table([
            .text("WHEN"), .text("SERVICE"), .text("WHO"), .text("WHAT"), .text("LETTER"), .text("OUTCOME"),
            .text("WHY AND MORE"),
        ])
        for item in items {
            let more = [item["reason"]?.stringValue, item["detail"]?.stringValue].compactMap { $0 }
            table.add([
                .init(item["at"]?.shown ?? ""), .init(item["service"]?.shown ?? ""), .init(item["actor"]?.shown ?? ""),
                .init(item["verb"]?.shown ?? ""), .init(item["letter"]?.stringValue ?? "–", .quiet),
                .init(item["outcome"]?.shown ?? "", color(ofResult: item["outcome"]?.shown ?? "")),
                .init(more.joined(separator: " · ")),
            ])
        }
        table.print()
    }

    static func color(ofState state: String) -> Console.Color? {
        switch state {
        case "held", "parked", "queued": .waiting
        case "requeued": .good
        default: .quiet
        }
    }

    static func color(ofResult result: String) -> Console.Color? {
        switch result {
        case "handled", "sent", "done", "finished": .good
        case "failed", "impossible", "unknown", "stopped": .bad
        default: nil
        }
    }
}
