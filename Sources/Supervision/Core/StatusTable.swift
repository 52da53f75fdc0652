/// Draws a status as a table for people.
public struct StatusTable: Sendable {
    /// Whether ANSI colours are used.
    public var usesColour: Bool
    /// The widest line; longer ones are cut.
    public var width: Int

    /// Makes a drawer; width 0 means without limit.
    public init(usesColour: Bool, width: Int = 0) {
        self.usesColour = usesColour
        self.width = width
    }

    private enum Colour: String {
        case green = "32"
        case yellow = "33"
        case red = "31"
        case dim = "2"
    }

    /// The lines, head line first.
    public func lines(_ status: SupervisorStatus) -> [String] {
        let head = ["NAME", "PID", "STATE", "UPTIME", "RESTARTS", "PROBE", "ADDRESS"]
        let rows = status.processes.map { process in
            [
                process.id, process.pid.map(String.init) ?? "-", process.state.rawValue,
                process.uptimeSeconds.map(Self.uptime) ?? "-", String(process.restarts),
                Self.probe(process), process.address ?? "-",
            ]
        }
        let widths = head.indices.map { column in
            min(column == 5 ? 44 : 60, ([head] + rows).map { $0[column].count }.max() ?? 0)
        }
        var lines = [draw(head, widths, stateColour: .dim, wholeLine: true)]
        for (row, process) in zip(rows, status.processes) {
            lines.append(draw(row, widths, stateColour: Self.colour(process.state), wholeLine: false))
        }
        return lines
    }

    private func draw(_ cells: [String], _ widths: [Int], stateColour: Colour, wholeLine: Bool) -> String {
        var used = 0
        var line = ""
        for (column, cell) in cells.enumerated() {
            let isLast = column == cells.count - 1
            var text = cell.count > widths[column] ? String(cell.prefix(widths[column] - 1)) + "…" : cell
            if width > 0, used + text.count > width { text = String(text.prefix(max(0, width - used))) }
            let rightAligned = column == 1 || column == 3 || column == 4
            let gap = String(repeating: " ", count: max(0, widths[column] - text.count))
            used += widths[column] + 2
            let painted = usesColour && (wholeLine || column == 2) ? paint(text, stateColour) : text
            line += rightAligned ? gap + painted : painted + (isLast ? "" : gap)
            if !isLast, width == 0 || used < width { line += "  " }
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    private func paint(_ text: String, _ colour: Colour) -> String {
        text.isEmpty ? text : "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m"
    }

    private static func colour(_ state: ProcessStatus.State) -> Colour {
        switch state {
        case .ready: .green
        case .starting, .stopping, .unready: .yellow
        case .waiting, .silent: .red
        case .stopped: .dim
        }
    }

    private static func probe(_ process: ProcessStatus) -> String {
        if let answer = process.answer { return answer }
        if process.pid == nil, let exit = process.lastExit {
            return "ended with \(exit.status)" + (exit.reason.map { " (\($0))" } ?? "")
        }
        return "-"
    }

    /// `4.2s`, `3m07s`, `2h05m`, `3d04h`.
    static func uptime(_ seconds: Double) -> String {
        let whole = Int(max(0, min(seconds, 1e9)))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if whole < 60 { return "\(whole).\(Int(max(0, seconds) * 10) % 10)s" }
        if whole < 3600 { return "\(whole / 60)m\(two(whole % 60))s" }
        if whole < 86_400 { return "\(whole / 3600)h\(two(whole / 60 % 60))m" }
        return "\(whole / 86_400)d\(two(whole / 3600 % 24))h"
    }
}
