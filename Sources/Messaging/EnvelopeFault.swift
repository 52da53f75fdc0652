/// Why a message has no readable ``Envelope``. Always poison: the same bytes will never read better.
public struct EnvelopeFault: ClassifiedFailure, Hashable {
    /// What is wrong with the attribute.
    public enum Reason: String, Sendable {
        case missing, invalid, repeated, tooLong = "too-long", tooMany = "too-many", bodyTooLong = "body-too-long"
    }

    /// The message's body is longer than the consumer takes, and was thrown away on arrival. Its headers may be well, but
    /// an empty body is not what was sent.
    public static let oversizedBody = EnvelopeFault(attribute: "body", reason: .bodyTooLong)

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
    public var description: String {
        reason == .bodyTooLong
            ? "The message's body is longer than a consumer takes, and was not kept."
            : "The message header \(attribute) is \(reason.rawValue)."
    }
}
