/// What a consumer does about a failure. Set where the error is created, never guessed from its text.
public enum FailureClass: String, Sendable, CaseIterable {
    /// May succeed later with the same message: retried with delay, a bounded number of times, then dead-lettered.
    case retryable
    /// Understood and refused: the outcome is recorded, the message is done.
    case permanent
    /// Cannot be understood: dead-lettered at once, with bytes, headers and reason; the queue keeps moving.
    case poison
    /// This process must not go on: the service stops, the message stays unsettled.
    case fatal
    /// Shutdown or a lost connection: given back, no attempt used.
    case interrupted
}

/// An error that knows its class.
public protocol ClassifiedFailure: Error, CustomStringConvertible {
    /// What a consumer does about it.
    var failureClass: FailureClass { get }
    /// Stable, kebab-case, without variable parts: what dead letters are grouped by.
    var code: String { get }
}

/// A plain classified failure, for places that need no type of their own.
public struct Failure: ClassifiedFailure, Hashable {
    public let failureClass: FailureClass
    public let code: String
    /// A sentence for people, without payloads or secrets.
    public let description: String

    /// Makes a failure; see the properties.
    public init(_ failureClass: FailureClass, code: String, _ description: String) {
        self.failureClass = failureClass
        self.code = code
        self.description = description
    }

    /// The class, code and sentence of any error. One that has no class is retryable: its few attempts end in a dead
    /// letter whose code, `unclassified`, says that the place that threw it owes it a class.
    public init(classifying error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let classified as any ClassifiedFailure:
            self.init(classified.failureClass, code: classified.code, classified.description)
        case is CancellationError:
            self.init(.interrupted, code: "interrupted", "The work was interrupted by a shutdown.")
        default:
            self.init(.retryable, code: "unclassified", "\(type(of: error)): \(error)")
        }
    }
}
