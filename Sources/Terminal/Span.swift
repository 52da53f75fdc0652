public import ArgumentParser

/// A length of time as people write it: `500ms`, `2s`, `1.5h`, `7d`; a number alone counts seconds.
public struct Span: ExpressibleByArgument, CustomStringConvertible, Sendable {
    /// The length, 0…30 days.
    public let milliseconds: Int64

    private static let units: [(suffix: String, milliseconds: Double)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1000),
    ]

    /// - Parameter seconds: 0…2,592,000.
    public init(seconds: Int64) { milliseconds = seconds * 1000 }

    /// - Parameter argument: as people write it; `nil` for anything else, and for what is longer than 30 days.
    public init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.hasSuffix($0.suffix) }),
            let count = Double(argument.dropLast(unit.suffix.count)), count >= 0,
            count * unit.milliseconds <= 30 * 86_400_000
        else { return nil }
        milliseconds = Int64(count * unit.milliseconds)
    }

    /// The same as a `Duration`.
    public var duration: Duration { .milliseconds(milliseconds) }

    /// As the help shows a default.
    public var description: String { milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms" }
}
