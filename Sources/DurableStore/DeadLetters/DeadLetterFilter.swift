import GRDB
public import Messaging

/// Which dead letters are meant. Every property that is set must fit.
public struct DeadLetterFilter: Sendable, Hashable, CustomStringConvertible {
    /// What was decided about it; `nil` for any.
    public var state: DeadLetter.State?
    /// The message's type.
    public var type: String?
    /// The failure's code.
    public var code: String?
    /// The message's subject.
    public var subject: String?
    /// The inbox or consumer in which it failed.
    public var consumer: String?
    /// `amqp`, `kafka` or `http`.
    public var transport: String?
    /// Only letters that failed before this time.
    public var failedBefore: Timestamp?
    /// Only letters whose error, source, message id or payload contains this text. Looks at every letter.
    public var text: String?

    /// Makes a filter; see the properties.
    public init(
        state: DeadLetter.State? = .held,
        type: String? = nil,
        code: String? = nil,
        subject: String? = nil,
        consumer: String? = nil,
        transport: String? = nil,
        failedBefore: Timestamp? = nil,
        text: String? = nil
    ) {
        self.state = state
        self.type = type
        self.code = code
        self.subject = subject
        self.consumer = consumer
        self.transport = transport
        self.failedBefore = failedBefore
        self.text = text
    }

    /// The filter in words, for the journal.
    public var description: String {
        let parts = [
            state.map { "state=\($0.rawValue)" }, type.map { "type=\($0)" }, code.map { "reason=\($0)" },
            subject.map { "subject=\($0)" }, consumer.map { "consumer=\($0)" }, transport.map { "transport=\($0)" },
            failedBefore.map { "failed-before=\($0)" }, text.map { "text=\($0)" },
        ].compactMap { $0 }
        return parts.isEmpty ? "all" : parts.joined(separator: " ")
    }

    var condition: (sql: String, arguments: StatementArguments) {
        var parts = ["1"]
        var arguments = StatementArguments()
        func require(_ part: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            parts.append(part)
            arguments += [value]
        }
        require("state = ?", state?.rawValue)
        require("type = ?", type)
        require("code = ?", code)
        require("subject = ?", subject)
        require("consumer = ?", consumer)
        require("transport = ?", transport)
        require("failed_at < ?", failedBefore?.millisecondsSinceEpoch)
        if let text {
            parts.append(
                "(instr(error, ?) OR instr(source, ?) OR instr(coalesce(message_id, ''), ?) OR instr(CAST(body AS TEXT), ?))"
            )
            arguments += [text, text, text, text]
        }
        return (parts.joined(separator: " AND "), arguments)
    }
}
