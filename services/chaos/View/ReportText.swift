import StrictJSON

extension ChaosReport {
    /// The report as Markdown, which reads well on a terminal too.
    var markdown: String {
        let statuses = orders.byStatus.filter { $0.value > 0 }.sorted { $0.value > $1.value }
        let ends = statuses.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        var lines = ["# Chaos, seed \(seed)", ""]
        lines.append("\(faults) faults of \(kinds) kinds in \(length / 1000) s.")
        lines.append(
            "\(orders.accepted) orders accepted, \(orders.refused) refused, \(orders.unknown) without an answer; at the end \(ends)."
        )
        if let convergence = orders.convergence {
            lines.append("Every order had ended \(seconds(convergence)) after the last heal.")
        } else {
            lines.append("Orders were still open \(orders.convergenceLimit / 1000) s after the last heal.")
        }
        lines.append("")
        var table = [
            [
                "fault", "times", "not possible", "invariants checked", "violations", "recovery, median",
                "recovery, longest",
            ]
        ]
        for row in rows {
            var longest = row.longestRecovery.map { seconds($0) } ?? "–"
            if row.unrecovered > 0 { longest = "not in the time given ×\(row.unrecovered)" }
            let median = row.medianRecovery.map { seconds($0) } ?? "–"
            let counts = [row.times, row.skipped, row.invariants, row.violations].map { "\($0)" }
            table.append([row.kind.rawValue] + counts + [median, longest])
        }
        lines += Self.aligned(table)
        lines.append("")
        if isClean {
            lines.append("No violation.")
        } else if !violations.isEmpty {
            lines.append("\(violations.count) violations:")
            lines += violations.map { "- \($0)" }
        }
        if !failures.isEmpty {
            if !violations.isEmpty { lines.append("") }
            lines += ["The run could not be carried out:"] + failures.map { "- \($0)" }
        }
        if !unexamined.isEmpty {
            lines += ["", "Not examined at the end:"] + unexamined.map { "- \($0)" }
        }
        return lines.joined(separator: "\n")
    }

    private static func aligned(_ table: [[String]]) -> [String] {
        let widths: [Int] = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        func line(_ row: [String]) -> String {
            let cells: [String] = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            return "| " + cells.joined(separator: " | ") + " |"
        }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        return [line(table[0]), rule] + table.dropFirst().map(line)
    }

    /// The report for programs.
    var json: JSONValue {
        func number(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }
        return .object([
            "seed": .string("\(seed)"), "lengthMs": .integer(length), "faults": .integer(Int64(faults)),
            "kinds": .integer(Int64(kinds)),
            "orders": .object([
                "offered": .integer(Int64(orders.offered)), "accepted": .integer(Int64(orders.accepted)),
                "refused": .integer(Int64(orders.refused)), "unknown": .integer(Int64(orders.unknown)),
                "byStatus": .object(
                    JSONObject(
                        orders.byStatus.sorted { $0.key < $1.key }.map { JSONMember($0.key, .integer(Int64($0.value))) }
                    )
                ),
                "convergenceMs": number(orders.convergence), "convergenceLimitMs": .integer(orders.convergenceLimit),
            ]),
            "rows": .array(
                rows.map { row in
                    .object([
                        "fault": .string(row.kind.rawValue), "times": .integer(Int64(row.times)),
                        "skipped": .integer(Int64(row.skipped)), "invariantsChecked": .integer(Int64(row.invariants)),
                        "violations": .integer(Int64(row.violations)), "recoveryMedianMs": number(row.medianRecovery),
                        "recoveryLongestMs": number(row.longestRecovery),
                        "unrecovered": .integer(Int64(row.unrecovered)),
                    ])
                }
            ),
            "violations": .array(violations.map(JSONValue.string)),
            "failures": .array(failures.map(JSONValue.string)),
            "unexamined": .array(unexamined.map(JSONValue.string)),
        ])
    }
}
