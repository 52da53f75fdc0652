/// Aligned columns under a quiet heading.
struct Table {
    /// One cell.
    struct Cell: ExpressibleByStringLiteral {
        let text: String
        let color: Console.Color?

        init(_ text: String, _ color: Console.Color? = nil) {
            self.text = Console.safe(text)
            self.color = color
        }

        init(_ number: Int64?) {
            self.init(number.map(grouped) ?? "")
        }

        init(stringLiteral text: String) {
            self.init(text)
        }
    }

    /// A column: its heading, and whether it holds numbers, which stand to the right.
    struct Column {
        let heading: String
        let isNumber: Bool

        static func text(_ heading: String) -> Column { Column(heading: heading, isNumber: false) }
        static func number(_ heading: String) -> Column { Column(heading: heading, isNumber: true) }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    mutating func add(_ cells: [Cell]) {
        rows.append(cells)
    }

    /// The lines. The last column takes what is left of the terminal's width and is cut there.
    func lines(width: Int = Console.width) -> [String] {
        var widths = columns.map { $0.heading.count }
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.text.count) }
        }
        let before = widths.dropLast().reduce(0) { $0 + $1 + 2 }
        if Console.isTerminal, let last = widths.indices.last {
            widths[last] = min(widths[last], max(12, width - before))
        }
        let heading = zip(columns, widths).map { column, width in aligned(column.heading, width, column.isNumber) }
        let body = rows.map { row in
            zip(zip(row, columns), widths).map { pair, width in
                let (cell, column) = pair
                return Console.colored(aligned(cell.text, width, column.isNumber), cell.color)
            }
        }
        return [Console.colored(joined(heading), .quiet)] + body.map(joined)
    }

    func print() {
        for line in lines() { Console.print(line) }
    }

    private func aligned(_ text: String, _ width: Int, _ isNumber: Bool) -> String {
        let cut = text.count > width ? text.prefix(max(0, width - 1)) + "…" : text[...]
        let padding = String(repeating: " ", count: max(0, width - cut.count))
        return isNumber ? padding + cut : cut + padding
    }

    private func joined(_ cells: [String]) -> String {
        var line = cells.joined(separator: "  ")
        while line.last == " " { line.removeLast() }
        return line
    }
}

/// `1,234,567`
func grouped(_ number: Int64) -> String {
    var digits = String(number.magnitude)
    var index = digits.endIndex
    while let next = digits.index(index, offsetBy: -3, limitedBy: digits.startIndex), next > digits.startIndex {
        digits.insert(",", at: next)
        index = next
    }
    return (number < 0 ? "-" : "") + digits
}
