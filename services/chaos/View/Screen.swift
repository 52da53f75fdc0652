/// The screen of a run as lines that fit. Pure: made from what is known at a moment and the size of the terminal.
struct Screen {
    /// What makes a piece of text stand out.
    enum Style: String, Sendable, Hashable {
        case plain = ""
        case bold = "1"
        case dim = "2"
        case good = "32"
        case bad = "31"
        case soon = "33"
    }

    /// A piece of a line.
    struct Piece: Sendable, Hashable {
        var text: String
        var style = Style.plain
    }

    /// What is known.
    struct Facts: Sendable {
        var seed: UInt64
        var phase: String
        /// Milliseconds since the beginning of the run, and how long faults are done.
        var now: Int64
        var length: Int64
        var planned: Int
        var done: [FaultRecord]
        var active: [FaultRecord]
        var looks: Int
        var violated: [String]
        var accepted: Int
        var refused: Int
        var unknown: Int
        var orders: [String: Int]
    }

    /// Lines without their ends: none is wider than the terminal, and there is one less than it has rows.
    private(set) var lines: [[Piece]] = []
    private let width: Int
    /// `coming back, 59.9 s`
    private static let endWidth = 19

    init(_ facts: Facts, width: Int, height: Int) {
        self.width = max(20, width)
        let now = facts.now
        let bar = max(10, min(40, self.width - 30))
        let share = Int(min(1, Double(now) / Double(max(1, facts.length))) * Double(bar))
        add([Piece(text: "Waybill chaos", style: .bold), Piece(text: "  seed \(facts.seed)  \(facts.phase)")])
        let done = String(repeating: "█", count: share) + String(repeating: "░", count: bar - share)
        add([Piece(text: "\(done)  \(seconds(min(now, facts.length))) of \(seconds(facts.length))")])
        add([])
        let injected = facts.done.count(where: \.isInjected) + facts.active.count
        let kinds = Set((facts.done.filter(\.isInjected) + facts.active).map(\.fault.kind)).count
        let skipped = facts.done.count { !$0.isInjected }
        add("faults", "\(injected) of \(facts.planned) planned, \(kinds) kinds, \(skipped) not possible at their time")
        add("orders", "\(facts.accepted) accepted, \(facts.refused) refused, \(facts.unknown) without an answer")
        add("", Self.status(facts.orders))
        let verdict =
            facts.violated.isEmpty
            ? Piece(text: "no violation", style: .good)
            : Piece(text: "violated: " + facts.violated.joined(separator: " "), style: .bad)
        add([Piece(text: Self.padded("verifier", 10), style: .bold), Piece(text: "\(facts.looks) looks, "), verdict])
        add([])
        // What is on comes first; what was before fills what is left.
        let rows = max(0, height - 1 - lines.count - 3)
        let shown = facts.active.suffix(max(1, min(8, rows)))
        add([Piece(text: "now", style: .bold)])
        for record in shown {
            let left = record.fault.healedAt - now
            let what =
                left > 0
                ? Piece(text: "heals in \(seconds(left))", style: .soon)
                : Piece(text: "coming back, \(seconds(max(0, now - record.healedAt)))", style: .good)
            add(record, what, .plain)
        }
        add([])
        add([Piece(text: "before", style: .bold)])
        for record in facts.done.suffix(max(0, min(12, rows - shown.count))).reversed() {
            var end = Piece(text: "not done: \(record.note)", style: .dim)
            if record.isInjected {
                end =
                    record.recovery.map { Piece(text: "ready after \(seconds($0))", style: .dim) }
                    ?? Piece(text: "not ready", style: .bad)
            }
            add(record, end, .dim)
        }
        lines = Array(lines.prefix(max(1, height - 1)))
    }

    /// How the orders stand, in words.
    static func status(_ orders: [String: Int]) -> String {
        let ended = orders.filter { OrderWatch.ends.contains($0.key) && $0.value > 0 }.sorted { $0.value > $1.value }
            .map { "\($0.value) \($0.key)" }
        return ([("\(OrderWatch.open(orders)) open")] + ended).joined(separator: ", ")
    }

    /// `text` with blanks to a width, or cut to it.
    static func padded(_ text: String, _ width: Int) -> String {
        text.count > width
            ? String(text.prefix(max(0, width - 1))) + "…" : text + String(repeating: " ", count: width - text.count)
    }

    private mutating func add(_ title: String, _ text: String) {
        add([Piece(text: Self.padded(title, 10), style: .bold), Piece(text: text)])
    }

    /// A fault: number, kind, what was done as far as there is room, and how it stands. A fault that was not done has its reason
    /// there instead.
    private mutating func add(_ record: FaultRecord, _ end: Piece, _ style: Style) {
        let head = Self.padded("  #\(record.fault.number)", 7) + Self.padded(record.fault.kind.rawValue, 20) + " "
        // The same room in each line, so that what follows stands in one column.
        let room = min(60, width - head.count - Self.endWidth - 1)
        guard room >= 8, record.isInjected else { return add([Piece(text: head, style: style), end]) }
        add([Piece(text: head + Self.padded(record.note, room) + " ", style: style), end])
    }

    private mutating func add(_ pieces: [Piece]) {
        var left = width
        var line: [Piece] = []
        for piece in pieces where left > 0 {
            let text = piece.text.count > left ? Self.padded(piece.text, left) : piece.text
            line.append(Piece(text: text, style: piece.style))
            left -= text.count
        }
        lines.append(line)
    }
}
