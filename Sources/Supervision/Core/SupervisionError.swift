/// Something the supervisor cannot do, in one sentence for the person in front of it.
public struct SupervisionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The sentence, without a final full stop.
    public var description: String

    /// Makes an error from its sentence.
    public init(_ description: String) {
        self.description = description
    }
}
