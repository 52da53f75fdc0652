import Synchronization

/// A line on standard error that shows how far long work is; nothing where standard error is no terminal.
public final class ProgressBar: Sendable {
    private let label: String
    private let last = Mutex(ContinuousClock.Instant.now - .seconds(1))
    private static let cells = 28

    /// - Parameter label: what is being done, such as `rebuilding`; it stands before the bar.
    public init(_ label: String) {
        self.label = label
    }

    /// Shows `done` of `total`, at most ten times a second.
    public func show(_ done: Int64, of total: Int64, note: String = "") {
        guard Console.showsProgress else { return }
        let isDue = last.withLock { last in
            guard ContinuousClock.now - last >= .milliseconds(100) || done >= total else { return false }
            last = .now
            return true
        }
        guard isDue else { return }
        let fraction = total > 0 ? min(1, Double(done) / Double(total)) : 0
        let filled = Int(fraction * Double(Self.cells))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.cells - filled)
        Console.progress("\(label) \(bar) \(Int(fraction * 100)) %  \(grouped(done))/\(grouped(total))  \(note)")
    }

    /// Takes the line away.
    public func clear() {
        guard Console.showsProgress else { return }
        Console.progress("")
    }
}
