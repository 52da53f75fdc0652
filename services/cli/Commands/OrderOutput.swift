import Commerce
import StrictJSON
import Terminal

/// How orders look to a person.
enum OrderOutput {
    static func show(_ order: JSONValue, json: Bool) {
        if json { return JSONOutput.print(order) }
        headline(order)
        var table = Table([.text("SKU"), .number("QUANTITY"), .number("UNIT PRICE")])
        for line in order["lines"]?.arrayValue ?? [] {
            table.add([
                .init(line["sku"]?.shown ?? ""), .init(line["quantity"]?.integerValue),
                .init(money(line["unitPrice"])),
            ])
        }
        table.print()
    }

    static func headline(_ order: JSONValue) {
        let status = order["status"]?.stringValue ?? ""
        Console.print(
            "order \(Console.colored(Console.safe(order["id"]?.shown ?? ""), .strong))  "
                + Console.colored(status, Console.color(ofStatus: status)) + "  \(money(order["total"]))"
                + (order["reason"].map { "  (\(Console.safe($0.shown)))" } ?? "")
        )
    }

    static func end(_ order: JSONValue) {
        let status = order["status"]?.stringValue ?? ""
        let reason = order["reason"].map { " (\(Console.safe($0.shown)))" } ?? ""
        Console.print(Console.colored(status, Console.color(ofStatus: status)) + reason)
    }

    static func change(_ event: JSONValue) {
        let status = event["status"]?.stringValue ?? ""
        let padded = status.padding(to: 16)
        Console.print(
            "  \(Console.colored(time(event["at"]), .quiet))  "
                + Console.colored(padded, Console.color(ofStatus: status))
                + (event["reason"].map { Console.safe($0.shown) } ?? "")
        )
    }

    static func row(_ order: JSONValue) -> [Table.Cell] {
        let status = order["status"]?.stringValue ?? ""
        return [
            .init(order["id"]?.shown ?? ""), .init(status, Console.color(ofStatus: status)),
            .init(money(order["total"])),
            .init(order["customer"]?.shown ?? ""), .init(order["placedAt"]?.shown ?? ""),
            .init(order["reason"]?.shown ?? ""),
        ]
    }

    /// Inputs and changes of status, merged by time.
    static func timeline(_ timeline: JSONValue) {
        var rows: [(at: String, order: Int, cells: [Table.Cell])] = []
        for entry in timeline["inputs"]?.arrayValue ?? [] {
            let sent = (entry["sent"]?.arrayValue ?? []).compactMap { $0["command"]?.stringValue }
            rows.append(
                (
                    entry["at"]?.shown ?? "", 0,
                    [
                        .init(time(entry["at"])), .init("← " + (entry["input"]?.shown ?? "")),
                        .init(entry["disposition"]?.shown ?? "", .quiet),
                        .init(sent.isEmpty ? "" : "→ " + sent.joined(separator: ", ")),
                    ]
                )
            )
        }
        for entry in timeline["history"]?.arrayValue ?? [] {
            let to = entry["to"]?.shown ?? ""
            rows.append(
                (
                    entry["at"]?.shown ?? "", 1,
                    [
                        .init(time(entry["at"])), .init("● " + to, Console.color(ofStatus: to)),
                        .init("v" + (entry["version"]?.shown ?? ""), .quiet), .init(entry["reason"]?.shown ?? ""),
                    ]
                )
            )
        }
        var table = Table([.text("TIME"), .text("WHAT"), .text(""), .text("")])
        for row in rows.enumerated().sorted(by: {
            ($0.element.at, $0.element.order, $0.offset) < ($1.element.at, $1.element.order, $1.offset)
        }) {
            table.add(row.element.cells)
        }
        let before = (timeline["inputs"]?[0]?["number"]?.integerValue ?? 1) - 1
        if before > 0 { Console.print("The first \(before) inputs are left out; all changes of status are here.") }
        table.print()
    }

    static func money(_ value: JSONValue?) -> String {
        guard let minorUnits = value?["minorUnits"]?.integerValue,
            let currency = value?["currency"]?.stringValue.flatMap(Currency.init)
        else { return "" }
        return Money(minorUnits: minorUnits, currency: currency).description
    }

    /// `21:24:14.003` of an RFC 3339 time.
    static func time(_ value: JSONValue?) -> String {
        let text = value?.stringValue ?? ""
        guard let start = text.firstIndex(of: "T") else { return Console.safe(text) }
        return Console.safe(String(text[text.index(after: start)...].prefix(12)))
    }
}

extension String {
    /// The text with spaces up to a width.
    func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}

extension Console {
    /// The colour of a status of an order.
    static func color(ofStatus status: String) -> Color? {
        switch status {
        case "completed": .good
        case "rejected", "cancelled": .quiet
        case "needsOperator": .bad
        default: .waiting
        }
    }
}
