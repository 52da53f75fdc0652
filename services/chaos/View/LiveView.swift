import Foundation
import Glibc
import Synchronization

/// What a person sees while a run goes on: one screen that is redrawn on a terminal, a line for each event elsewhere. Everything
/// goes to standard error, so that standard output is free for the report.
final class LiveView: Sendable {
    private let isTerminal: Bool
    private let seed: UInt64
    private let text = Mutex("")
    /// Whether the screen is ours: cleared, without a cursor.
    private let isDrawn = Mutex(false)
    private let start = ContinuousClock.now

    init(seed: UInt64) {
        self.seed = seed
        isTerminal = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// A new part of the run begins.
    func phase(_ name: String) {
        text.withLock { $0 = name }
        // The screen shows it from its next drawing on; before the first one there is no screen.
        if !isTerminal || !isDrawn.withLock({ $0 }) { line(name) }
    }

    /// Something worth knowing that is no part of the run's course.
    func note(_ text: String) { line(text) }

    /// Gives the terminal back as it was. May be called at any time and more than once.
    func leave() {
        let wasDrawn = isDrawn.withLock { drawn in
            defer { drawn = false }
            return drawn
        }
        if wasDrawn { write("\u{1B}[?25h\n") }
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
        if isTerminal {
            isDrawn.withLock { $0 = true }
            write("\u{1B}[?25l\u{1B}[2J")
        }
        while !Task.isCancelled {
            counts.update()
            last = await watch.look() ?? last
            if isTerminal {
                draw(screen(plan, journal, last, counts))
            } else if drawn % 20 == 0 {
                line("orders: \(counts.accepted) accepted, \(Screen.status(last))")
            }
            drawn += 1
            try? await Task.sleep(for: .milliseconds(500))
        }
        leave()
    }

    private func screen(
        _ plan: ChaosPlan,
        _ journal: Journal,
        _ orders: [String: Int],
        _ counts: HistoryCounts
    ) -> Screen {
        let done = journal.done
        let checks = journal.checks
        let violated = Set(checks.flatMap(\.violated.keys)).union(
            done.filter { $0.violation != nil }.map { "#\($0.fault.number)" }
        )
        var size = winsize()
        let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 && size.ws_row > 0
        return Screen(
            Screen.Facts(
                seed: seed,
                phase: text.withLock { $0 },
                now: journal.now,
                length: plan.length,
                planned: plan.faults.count,
                done: done,
                active: journal.active,
                looks: checks.count,
                violated: violated.sorted(),
                accepted: counts.accepted,
                refused: counts.refused,
                unknown: counts.unknown,
                orders: orders
            ),
            width: isKnown ? Int(size.ws_col) : 80,
            height: isKnown ? Int(size.ws_row) : 24
        )
    }

    private func draw(_ screen: Screen) {
        // Each line is cleared to its end and the rest of the screen below: nothing flickers, nothing stays.
        let lines = screen.lines.map { $0.map { colored($0.text, $0.style) }.joined() + "\u{1B}[K\n" }
        write("\u{1B}[H" + lines.joined() + "\u{1B}[J")
    }

    private func line(_ text: String) {
        let now = Int64((ContinuousClock.now - start) / .milliseconds(1))
        write("\(Screen.padded(seconds(now), 8)) \(text)\n")
    }

    private func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }

    private func colored(_ text: String, _ style: Screen.Style) -> String {
        guard style != .plain, isTerminal, (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
        else { return text }
        return "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m"
    }
}

/// `4.2 s`
func seconds(_ milliseconds: Int64) -> String {
    let tenths = (milliseconds + 50) / 100
    return "\(tenths / 10).\(tenths % 10) s"
}
