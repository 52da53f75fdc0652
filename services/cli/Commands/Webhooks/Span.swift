import ArgumentParser

/// A length of time as people type it: `2s`, `500ms`, `5m`, `2h`, or a number of seconds.
struct Span: ExpressibleByArgument {
    /// The length, 0…30 days.
    let milliseconds: Int64

    static let zero = Span(milliseconds: 0)

    private init(milliseconds: Int64) { self.milliseconds = milliseconds }

    init?(argument: String) {
        let units: [(suffix: String, milliseconds: Double)] = [
            ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1000),
        ]
        guard let unit = units.first(where: { argument.hasSuffix($0.suffix) }),
            let count = Double(argument.dropLast(unit.suffix.count)), count >= 0,
            count * unit.milliseconds <= 30 * 86_400_000
        else { return nil }
        milliseconds = Int64(count * unit.milliseconds)
    }
}
