/// What a client may conclude about one placement that it sends again, under the same key, until it knows.
///
/// ```
///            202
/// asking ───────────► placed
///   │ │  other 4xx, and no attempt before that may have been taken
///   │ └─────────────► refused
///   └─ anything else: asks again
/// ```
///
/// A refusal speaks of the attempt that it answers. When the answer to an earlier one was lost, that one may have made the order, so the
/// client goes on asking: the key then gives it the first answer.
public struct PlacementAttempts: Sendable {
    /// How one attempt ended.
    public enum Ending: Sendable, Hashable {
        /// No byte of it can have reached the service.
        case notSent
        /// It may have been taken; nobody said.
        case unanswered
        /// An answer with this status.
        case answered(Int)
    }

    /// What follows.
    public enum Conclusion: Sendable, Hashable {
        /// The order exists.
        case placed
        /// There is no order under this key.
        case refused
        /// Nothing is known for certain.
        case askAgain
    }

    private var mayHaveBeenTaken = false

    /// Nothing was sent so far.
    public init() {}

    /// Takes in how the next attempt ended.
    public mutating func conclude(from ending: Ending) -> Conclusion {
        switch ending {
        case .answered(202): return .placed
        // Another attempt is under way, or there was no room: not this placement's last word.
        case .notSent, .answered(409), .answered(429): return .askAgain
        case .answered(400..<500): return mayHaveBeenTaken ? .askAgain : .refused
        case .unanswered, .answered:
            mayHaveBeenTaken = true
            return .askAgain
        }
    }
}
