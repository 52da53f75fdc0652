import DurableStore
import HTTPKit
import Messaging

/// Which letters are meant, as a query or as an object.
struct DeadLetterSelection: Decodable, Sendable {
    let state: String?
    let type: String?
    let reason: String?
    let subject: String?
    let consumer: String?
    let transport: String?
    let failedBefore: String?
    let text: String?

    init(_ page: OperatorPage) {
        state = page.parameter("state")
        type = page.parameter("type")
        reason = page.parameter("reason")
        subject = page.parameter("subject")
        consumer = page.parameter("consumer")
        transport = page.parameter("transport")
        failedBefore = page.parameter("failedBefore")
        text = page.parameter("text")
    }

    /// The filter; `all` stands for every state.
    ///
    /// - Parameter standard: the state that is meant where none is named.
    func filter(standard: DeadLetter.State? = .held) throws(Problem) -> DeadLetterFilter {
        var chosen = standard
        if let state {
            chosen = DeadLetter.State(rawValue: state)
            guard chosen != nil || state == "all" else {
                throw Problem.badRequest(
                    "state-invalid",
                    "The state is one of " + DeadLetter.State.allCases.map(\.rawValue).joined(separator: ", ")
                        + ", or all."
                )
            }
        }
        var before: Timestamp?
        if let failedBefore { before = try Self.time(failedBefore) }
        return DeadLetterFilter(
            state: chosen,
            type: type,
            code: reason,
            subject: subject,
            consumer: consumer,
            transport: transport,
            failedBefore: before,
            text: text
        )
    }

    static func time(_ text: String) throws(Problem) -> Timestamp {
        guard let time = Timestamp(text) else {
            throw Problem.badRequest("time-invalid", "A time is written like 2026-01-31T12:00:00Z.")
        }
        return time
    }
}
