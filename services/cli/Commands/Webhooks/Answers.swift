import ArgumentParser

/// What a receiver answers, in turn: `500,429:30,drop,drip,204`.
struct Answers: ExpressibleByArgument {
    /// One answer.
    enum Item: Equatable, CustomStringConvertible {
        case status(Int, retryAfter: Int?)
        /// A 500 that breaks off in its middle.
        case drop
        /// A 500 whose body comes one byte a second.
        case drip

        /// Whether it accepts the webhook.
        var isGood: Bool { (200...299).contains(status) }

        /// The status that the sender sees.
        var status: Int {
            switch self {
            case .status(let status, _): status
            case .drop, .drip: 500
            }
        }

        var description: String {
            switch self {
            case .drop: "drop"
            case .drip: "drip"
            case .status(let status, let seconds): seconds.map { "\(status), Retry-After \($0)" } ?? String(status)
            }
        }
    }

    let items: [Item]

    init?(argument: String) {
        var items: [Item] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let item = Self.item(part) else { return nil }
            items.append(item)
        }
        guard !items.isEmpty else { return nil }
        self.items = items
    }

    private static func item(_ text: Substring) -> Item? {
        if text == "drop" { return .drop }
        if text == "drip" { return .drip }
        let numbers = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...2).contains(numbers.count), let status = numbers[0], (200...599).contains(status),
            numbers.count == 1 || (numbers[1].map { $0 >= 0 } ?? false)
        else { return nil }
        return .status(status, retryAfter: numbers.count == 2 ? numbers[1] : nil)
    }
}
