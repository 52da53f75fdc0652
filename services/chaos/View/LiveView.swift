import Foundation
import Glibc
import Synchronization

/// What a person sees while a run goes on: one screen that is redrawn on a terminal, a line for each event elsewhere. Everything
/// goes to standard error, so that standard output is free for the report.
final class LiveView: Sendable {
    private let isTerminal: Bool
    private let seed: UInt64
    private let text = Mutex("")
    private let start = ContinuousClock.now

    init(seed: UInt64) {
        self.seed = seed
        isTerminal = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// A new part of the run begins.
    func phase(_ name: String) {
        text.withLock { $0 = name }
        if !isTerminal { line(name) }
    }

    /// A fault has begun, was healed, or is over.
    func changed(_ record: FaultRecord, _ phase: String) {
        guard !isTerminal, phase != "healed" else { return }
        let name = "#\(record.fault.number) \(record.fault.kind.rawValue)"
        switch phase {
        case "begun":
            line("\(name): \(record.note)" + (record.fault.lasts > 0 ? " for \(seconds(record.fault.lasts))" : ""))
        case "skipped": line("\(name) \(record.fault.target): not done, \(record.note)")
        default:
            let recovery = record.recovery.map { "ready again after \(seconds($0))" } ?? "NOT READY in the time given"
            line("\(name): \(recovery)")
        }
    }

    /// Redraws, or tells how the orders stand every ten seconds, until the task is cancelled.
    func follow(_ plan: ChaosPlan, _ journal: Journal, _ watch: OrderWatch, _ counts: HistoryCounts) async {
        var counts = counts
        var last: [String: Int] = [:]
        var drawn = 0
        if isTerminal { write("\u{1B}[?25l\u{1B}[2J") }
        while !Task.isCancelled {
            counts.update()
            last = await watch.look() ?? last
            if isTerminal {
                draw(screen(plan, journal, last, counts))
            } else if drawn % 20 == 0 {
                line("orders: \(counts.accepted) accepted, \(status(last))")
            }
            drawn += 1
            try? await Task.sleep(for: .milliseconds(500))
        }
        if isTerminal { write("\u{1B}[?25h\n") }
    }

    private func screen(
        _ plan: ChaosPlan,
        _ journal: Journal,
        _ orders: [String: Int],
        _ counts: HistoryCounts
    ) -> [String] {
        let now = journal.now
        let done = journal.done
        let active = journal.active
        let injected = done.count(where: \.isInjected) + active.count
        let checks = journal.checks
        let violated = Set(checks.flatMap(\.violated.keys)).union(
            done.filter { $0.violation != nil }.map { "#\($0.fault.number)" }
        )
        let share = min(1, Double(now) / Double(max(1, plan.length)))
        let bar = String(repeating: "█", count: Int(share * 40)) + String(repeating: "░", count: 40 - Int(share * 40))
        var lines = [
            bold("Waybill chaos") + "  seed \(seed)  \(text.withLock { $0 })",
            "\(bar)  \(seconds(min(now, plan.length))) of \(seconds(plan.length))",
            "",
            bold("faults")
                + "    \(injected) done of \(plan.faults.count) planned, \(Set(done.map(\.fault.kind)).count) kinds, "
                + "\(done.count { !$0.isInjected }) not possible at their time",
            bold("orders")
                + "    \(counts.accepted) accepted, \(counts.refused) refused, \(counts.unknown) unknown; \(status(orders))",
            bold("verifier") + "  \(checks.count) looks, "
                + (violated.isEmpty
                    ? green("no violation") : red("violated: " + violated.sorted().joined(separator: " "))),
            "",
            bold("now"),
        ]
        lines += active.suffix(8).map { record in
            let left = record.fault.healedAt - now
            let what =
                left > 0 ? yellow("heals in \(seconds(left))") : green("coming back, \(seconds(now - record.healedAt))")
            return
                "  #\(record.fault.number)  \(padded(record.fault.kind.rawValue, 20)) \(padded(record.note, 60)) \(what)"
        }
        lines += ["", bold("before")]
        lines += done.suffix(10).reversed().map { record in
            let end =
                record.isInjected
                ? record.recovery.map { "ready after \(seconds($0))" } ?? red("not ready") : "not done"
            return dim(
                "  #\(record.fault.number)  \(padded(record.fault.kind.rawValue, 20)) \(padded(record.note, 60)) \(end)"
            )
        }
        return lines
    }

    private func status(_ orders: [String: Int]) -> String {
        let ended = orders.filter { OrderWatch.ends.contains($0.key) && $0.value > 0 }.sorted { $0.value > $1.value }
            .map { "\($0.value) \($0.key)" }
        return ([("\(OrderWatch.open(orders)) open")] + ended).joined(separator: ", ")
    }

    private func draw(_ lines: [String]) {
        // Each line is cleared to its end and the rest of the screen below: nothing flickers, nothing stays.
        write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J")
    }

    private func line(_ text: String) {
        let now = Int64((ContinuousClock.now - start) / .milliseconds(1))
        write("\(padded(seconds(now), 8)) \(text)\n")
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

    private func padded(_ text: String, _ width: Int) -> String {
        text.count > width
            ? String(text.prefix(width - 1)) + "…" : text + String(repeating: " ", count: width - text.count)
    }

    private func colored(_ text: String, _ code: String) -> String {
        isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"] == nil ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
    private func bold(_ text: String) -> String { colored(text, "1") }
    private func dim(_ text: String) -> String { colored(text, "2") }
    private func green(_ text: String) -> String { colored(text, "32") }
    private func red(_ text: String) -> String { colored(text, "31") }
    private func yellow(_ text: String) -> String { colored(text, "33") }
}

/// `4.2 s`
func seconds(_ milliseconds: Int64) -> String {
    let tenths = (milliseconds + 50) / 100
    return "\(tenths / 10).\(tenths % 10) s"
}
