public import Messaging

/// Why a payload cannot be read. Always poison: the same bytes will never read better.
public struct PayloadFault: ClassifiedFailure, Hashable {
    /// Stable, kebab-case: `unknown-type`, `subject-mismatch`, `payload-invalid`, or the code of the JSON fault.
    public let code: String
    /// A sentence that names the place, without the payload.
    public let description: String

    /// Makes a fault.
    public init(code: String, _ description: String) {
        self.code = code
        self.description = description
    }

    public var failureClass: FailureClass { .poison }

    /// The fault of a message whose subject, the key that keeps its order, is not what its payload is about.
    public static let subjectMismatch = PayloadFault(
        code: "subject-mismatch",
        "The subject of the message is not what its payload is about."
    )

    /// The fault of a message whose type the receiver does not know.
    public static func unknownType(_ type: String) -> PayloadFault {
        PayloadFault(code: "unknown-type", "No handler knows the message type \(type.prefix(200)).")
    }
}
