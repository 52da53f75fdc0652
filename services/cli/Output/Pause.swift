import ArgumentParser

/// A length of time as people write it: `500ms`, `2s`, `10m`, `1h`; a number alone counts seconds.
struct Pause: ExpressibleByArgument {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        // A hundred years are enough, and nothing overflows.
        guard let number = Int64(digits), number <= 3_153_600_000 else { return nil }
        switch argument.dropFirst(digits.count) {
        case "ms": duration = .milliseconds(number)
        case "", "s": duration = .seconds(number)
        case "m": duration = .seconds(number * 60)
        case "h": duration = .seconds(number * 3600)
        default: return nil
        }
    }
}
