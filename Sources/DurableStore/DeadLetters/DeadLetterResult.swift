/// What came of an act on a dead letter, or what would come of it.
public struct DeadLetterResult: Sendable, Hashable {
    /// The ways in which an act ends.
    public enum Kind: String, Sendable, CaseIterable {
        /// Is on its way to the inbox in which it failed.
        case sent
        /// Was handled.
        case handled
        /// Was handled; nothing had to change.
        case noop
        /// Had been handled before, so there was nothing to do.
        case duplicate
        /// Was handled and refused by a rule, and the refusal was recorded.
        case refused
        /// Failed again.
        case failed
        /// The state was changed as asked.
        case done
        /// Cannot be done to this letter; nothing was changed.
        case impossible
        /// There is no such letter; nothing was changed.
        case unknown
    }

    /// How it ended.
    public let kind: Kind
    /// The code of the failure or refusal.
    public let code: String?
    /// A sentence about it.
    public let sentence: String?
    /// The letter that an edit made.
    public let newID: String?

    init(_ kind: Kind, code: String? = nil, _ sentence: String? = nil, newID: String? = nil) {
        self.kind = kind
        self.code = code
        self.sentence = sentence
        self.newID = newID
    }

    var detail: String? {
        let parts = [newID, code, sentence].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: ": ")
    }

    static let unknown = DeadLetterResult(.unknown, code: "unknown-dead-letter", "There is no such dead letter.")

    static func impossible(_ code: String, _ sentence: String) -> DeadLetterResult {
        DeadLetterResult(.impossible, code: code, sentence)
    }
}
