/// Aligned columns under a quiet heading.
public struct Table {
    /// One cell.
    public struct Cell: ExpressibleByStringLiteral {
        /// What is shown, safe for a terminal.
        public let text: String
        /// Its colour, where there is one.
        public let color: Console.Color?

        /// A text from anywhere; control characters are made visible.
        public init(_ text: String, _ color: Console.Color? = nil) {
            self.text = Console.safe(text)
            self.color = color
        }

        /// A number with its thousands apart; empty for `nil`.
        public init(_ number: Int64?) {
            self.init(number.map(grouped) ?? "")
        }

        /// A text of ours.
        public init(stringLiteral text: String) {
            self.init(text)
        }
    }

    /// A column: its heading, and whether it holds numbers, which stand to the right.
    public struct Column {
        let heading: String
        let isNumber: Bool

        /// A column of words.
        public static func text(_ heading: String) -> Column { Column(heading: heading, isNumber: false) }
        /// A column of numbers.
        public static func number(_ heading: String) -> Column { Column(heading: heading, isNumber: true) }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []

    /// - Parameter columns: at least one; each row has a cell for each.
    public init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Whether no row has been added.
    public var isEmpty: Bool { rows.isEmpty }

    /// Adds a row.
    public mutating func add(_ cells: [Cell]) {
        rows.append(cells)
    }

    /// The lines. Columns that do not fit beside the others go on in further lines of their row, indented; the last column, and one that
    /// is wider than the terminal, are broken between words.
    ///
    /// - Parameter width: of the terminal; `nil` where there is none, which has room for everything.
    public func lines(width: Int? = Console.width) -> [String] {
        let limit = max(Self.indent + Self.leastRoom, width ?? .max)
        var widths = columns.map { $0.heading.count }
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.text.count) }
        }
        let parts = parts(&widths, limit)
        func lines(_ cells: [Cell], _ color: Console.Color? = nil) -> [String] {
            parts.enumerated().flatMap { number, part -> [String] in
                // A part in which nothing stands needs no line, but each row has one.
                guard number == 0 || part.contains(where: { !cells[$0].text.isEmpty }) else { return [] }
                return self.lines(part, cells, widths, color, from: number == 0 ? 0 : Self.indent)
            }
        }
        return lines(columns.map { Cell($0.heading) }, .quiet) + rows.flatMap { lines($0) }
    }

    /// How far further lines of a row are indented.
    private static let indent = 4
    /// The least room in which the last column is broken rather than moved to a line of its own.
    private static let leastRoom = 30

    /// The columns of each line: as many as fit, at least one. Narrows those that will be broken.
    private func parts(_ widths: inout [Int], _ limit: Int) -> [[Int]] {
        var parts: [[Int]] = []
        var used = 0
        for index in widths.indices {
            let least = index == widths.indices.last ? min(widths[index], Self.leastRoom) : widths[index]
            if let last = parts.indices.last, used + 2 + least <= limit {
                parts[last].append(index)
                used += 2
            } else {
                used = parts.isEmpty ? 0 : Self.indent
                parts.append([index])
            }
            widths[index] = min(widths[index], limit - used)
            used += widths[index]
        }
        return parts
    }

    /// One part of a row. Only its last column can be broken: the others fit.
    private func lines(
        _ part: [Int],
        _ cells: [Cell],
        _ widths: [Int],
        _ color: Console.Color?,
        from start: Int
    ) -> [String] {
        guard let last = part.last else { return [] }
        let before = part.dropLast().reduce("") { line, index in
            let text = aligned(cells[index].text, widths[index], columns[index].isNumber)
            return line + Console.colored(text, color ?? cells[index].color) + "  "
        }
        let indent = String(repeating: " ", count: start)
        let hanging = String(repeating: " ", count: start + part.dropLast().reduce(0) { $0 + widths[$1] + 2 })
        return Self.broken(cells[last].text, widths[last]).enumerated().map { number, piece in
            let text = aligned(piece, widths[last], columns[last].isNumber)
            let shown = Console.colored(text, color ?? cells[last].color)
            return trimmed((number == 0 ? indent + before : hanging) + shown)
        }
    }

    /// Text in lines of at most `width` characters, but for words that are longer.
    private static func broken(_ text: String, _ width: Int) -> [String] {
        guard text.count > width else { return [text] }
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [line]
    }

    /// The lines on standard output.
    public func print() {
        for line in lines() { Console.print(line) }
    }

    private func aligned(_ text: String, _ width: Int, _ isNumber: Bool) -> String {
        let padding = String(repeating: " ", count: max(0, width - text.count))
        return isNumber ? padding + text : text + padding
    }

    private func trimmed(_ line: String) -> String {
        var line = line
        while line.last == " " { line.removeLast() }
        return line
    }
}

/// `1,234,567`
public func grouped(_ number: Int64) -> String {
    var digits = String(number.magnitude)
    var index = digits.endIndex
    while let next = digits.index(index, offsetBy: -3, limitedBy: digits.startIndex), next > digits.startIndex {
        digits.insert(",", at: next)
        index = next
    }
    return (number < 0 ? "-" : "") + digits
}
