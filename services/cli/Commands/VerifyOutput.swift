import Terminal
import Verification

/// A report as a person reads it.
enum VerifyOutput {
    /// - Returns: how many lines were printed.
    @discardableResult
    static func print(_ report: Report, _ time: String) -> Int {
        var table = Table([.text("ID"), .text("INVARIANT"), .text("VERDICT"), .text("LOOKED AT")])
        for (check, finding) in report.results {
            let verdict: Table.Cell =
                switch finding.verdict {
                case .holds: .init("holds", .good)
                case .violated(let count, _): .init("VIOLATED ×\(count)", .bad)
                case .notExamined: .init("not examined", .waiting)
                }
            table.add([.init(check.id), .init(check.title), verdict, .init(finding.lookedAt, .quiet)])
        }
        table.print()
        var lines = report.results.count + 1
        for (check, finding) in report.results {
            switch finding.verdict {
            case .holds: continue
            case .violated(_, let example):
                Console.print("\(Console.colored(check.id, .bad))  \(Console.safe(example))")
            case .notExamined(let reason): Console.print("\(Console.colored(check.id, .waiting))  \(reason)")
            }
            lines += 1
        }
        Console.print("")
        Console.print(
            report.violated == 0
                ? Console.colored("No violation", .good) + " in \(examined(report)); \(time)."
                : Console.colored("\(report.violated) of \(report.results.count) checks are violated", .bad)
                    + "; \(time)."
        )
        return lines + 2
    }

    /// One line for each group of checks, for a table that is drawn again and again.
    ///
    /// - Returns: how many lines were printed.
    static func printGroups(_ report: Report, _ time: String) -> Int {
        var table = Table([
            .text("GROUP"), .number("HOLD"), .number("NOT EXAMINED"), .text("LOOKED AT"),
        ])
        var lines = 0
        for (letter, title) in groups {
            let findings = report.results.filter { $0.check.id.hasPrefix(letter) }.map(\.finding)
            let held = findings.filter { $0.verdict == .holds }
            table.add([
                .init("\(letter)  \(title)", held.isEmpty ? .waiting : .good), .init(Int64(held.count)),
                .init(Int64(findings.count - held.count)),
                .init(held.max { $0.lookedAt.count < $1.lookedAt.count }?.lookedAt ?? "", .quiet),
            ])
            lines += 1
        }
        table.print()
        Console.print("")
        Console.print(
            Console.colored("No violation", .good) + " in \(examined(report)); \(time). Ctrl-c ends."
        )
        return lines + 3
    }

    /// `45 checks, 3 not examined`
    private static func examined(_ report: Report) -> String {
        let missing = report.results.count { if case .notExamined = $0.finding.verdict { true } else { false } }
        return "\(report.results.count - missing) checks" + (missing > 0 ? ", \(missing) not examined" : "")
    }

    private static let groups = [
        ("A", "acceptance"), ("O", "orders"), ("M", "money"), ("L", "ledger"), ("S", "stock"), ("X", "outbox"),
        ("I", "inbox"), ("G", "processes"), ("E", "event log"), ("R", "read models"), ("W", "webhooks"),
        ("D", "dead letters"),
    ]
}
