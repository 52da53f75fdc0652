/// A fault of a Kafka client or of the broker behind it: a code, a sentence and the place where it was noticed.
///
/// What to do: `isFatal` – the handle is finished (a producer replaces its handle by itself, a consumer must be made anew);
/// `isRetriable` – try again later; neither – the call itself is wrong (name, right, setting), and repeating it will not help.
public struct KafkaError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong.
    public let code: KafkaErrorCode
    /// The handle behind the client can do nothing more.
    public let isFatal: Bool
    /// The same call can succeed later.
    public let isRetriable: Bool
    /// What happened, in words, for people; holds names of topics and addresses, never contents of records.
    public let sentence: String
    /// File that noticed it.
    public let file: String
    /// Line that noticed it.
    public let line: Int

    /// Makes an error; what is not given follows from the code.
    public init(
        _ code: KafkaErrorCode,
        _ sentence: String? = nil,
        isFatal: Bool? = nil,
        isRetriable: Bool? = nil,
        file: String = #fileID,
        line: Int = #line
    ) {
        self.code = code
        self.isFatal = isFatal ?? (code == .fatal)
        self.isRetriable = isRetriable ?? code.isRetriable
        self.sentence = sentence ?? code.sentence
        self.file = file
        self.line = line
    }

    /// Equal in everything but the place.
    public static func == (left: Self, right: Self) -> Bool {
        left.code == right.code && left.isFatal == right.isFatal && left.isRetriable == right.isRetriable
            && left.sentence == right.sentence
    }

    /// `code: sentence (file:line)`.
    public var description: String { "\(code): \(sentence) (\(file):\(line))" }
}
