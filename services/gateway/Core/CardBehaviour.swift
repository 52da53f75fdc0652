/// How the gateway treats one operation on one card.
public enum CardBehaviour: Sendable, Hashable {
    /// Records and answers.
    case prompt
    /// Records a decline and answers.
    case declines(reason: String)
    /// Waits, then records and answers.
    case slow
    /// Records, then never answers.
    case silent
    /// Answers 503 the first two times with each key, then is prompt.
    case flaky
    /// Never answers, and records only when the caller has long given up.
    case late
    /// Records, then answers with a body that cannot be read.
    case garbled

    /// How often a flaky operation fails per key.
    public static let flakyFailures = 2

    /// The table of test cards. A card that is not in it is declined as unknown.
    ///
    /// Giving money back always works at once: what is tested there is the caller, not the card.
    public static func of(card: String, operation: GatewayOperation) -> CardBehaviour {
        switch (card, operation) {
        case (_, .void), (_, .refund): .prompt
        case ("tok_visa", _): .prompt
        case ("tok_declined", .authorize): .declines(reason: "card-declined")
        case ("tok_insufficient_funds", .authorize): .declines(reason: "insufficient-funds")
        case ("tok_slow", .authorize): .slow
        case ("tok_timeout", _): .silent
        case ("tok_flaky", _): .flaky
        case ("tok_late", .capture): .late
        case ("tok_garbage", _): .garbled
        case ("tok_slow", _), ("tok_late", _): .prompt
        case (_, .capture): .prompt
        case (_, .authorize): .declines(reason: "unknown-card")
        }
    }

    /// Whether the answer reaches the caller in the normal way. Where it does not, a callback tells.
    public var answersNormally: Bool {
        switch self {
        case .prompt, .declines, .flaky: true
        case .slow, .silent, .late, .garbled: false
        }
    }
}
