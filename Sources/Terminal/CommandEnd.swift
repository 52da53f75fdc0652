/// The way a command ends when it does not end well.
public struct CommandEnd: Error {
    /// 1: the answer is no. 2: it could not be carried out. 3: what it needs to look at is missing.
    public let code: Int32
    /// What to tell, with what to do next; empty when everything has been said.
    public let sentence: String

    /// - Parameter code: 1…3, with the meaning of ``code``.
    public init(code: Int32, sentence: String = "") {
        self.code = code
        self.sentence = sentence
    }

    /// The answer is no.
    public static func no(_ sentence: String = "") -> CommandEnd { CommandEnd(code: 1, sentence: sentence) }
    /// What it was to look at is not there or cannot be read.
    public static func missing(_ sentence: String) -> CommandEnd { CommandEnd(code: 3, sentence: sentence) }
    /// It could not be carried out.
    public static func failed(_ sentence: String) -> CommandEnd { CommandEnd(code: 2, sentence: sentence) }
}
