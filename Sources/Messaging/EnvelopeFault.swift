/// Why headers are not those of an ``Envelope``. Always poison: the same bytes will never read better.
public struct EnvelopeFault: ClassifiedFailure, Hashable {
    /// What is wrong with the attribute.
    public enum Reason: String, Sendable {
        case missing, invalid, repeated, tooLong = "too-long", tooMany = "too-many"
    }

    /// The header that is wrong.
    public let attribute: String
    /// What is wrong with it.
    public let reason: Reason

    /// Makes a fault.
    public init(attribute: String, reason: Reason) {
        self.attribute = attribute
        self.reason = reason
    }

    public var failureClass: FailureClass { .poison }
    public var code: String { "envelope-" + reason.rawValue }
    public var description: String { "The message header \(attribute) is \(reason.rawValue)." }
}
