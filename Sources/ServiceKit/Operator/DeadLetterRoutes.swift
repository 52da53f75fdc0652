import DurableStore
import HTTPKit
import HTTPTypes
import Hummingbird
import Messaging
import StrictJSON

/// Dead letters for operators: look, send back, give up, take back.
struct DeadLetterRoutes: Sendable {
    let store: DurableStore
    static let maximumPage = 1000

    func add(to router: Router<APIContext>) {
        router.get("/operator/dead-letters/stats") { _, _ in
            JSONResponse.make(.object(["items": .array(try await store.deadLetterCounts().map(document))]))
        }
        router.get("/operator/dead-letters") { request, _ in
            let page = try OperatorPage(request, maximum: Self.maximumPage)
            let letters = try await store.deadLetters(try filter(page), limit: page.limit)
            return JSONResponse.make(.object(["items": .array(letters.map { document($0, whole: false) })]))
        }
        router.get("/operator/dead-letters/{id}") { _, context in
            guard let id = context.parameters.get("id"), let letter = try await store.deadLetter(id) else {
                throw unknown
            }
            return JSONResponse.make(document(letter, whole: true))
        }
        router.post("/operator/dead-letters/{id}/requeue") { _, context in
            try await act(context) { id in
                do {
                    return try await store.requeueDeadLetter(id)
                } catch let failure as Failure where failure.failureClass == .permanent {
                    throw Problem.conflict(failure.code, failure.description)
                }
            }
        }
        router.post("/operator/dead-letters/{id}/discard") { request, context in
            let body = try await JSONRequest.read(ReasonBody.self, from: request)
            return try await act(context) { try await store.discardDeadLetter($0, reason: body.reason) }
        }
        router.post("/operator/dead-letters/{id}/restore") { _, context in
            try await act(context) { try await store.restoreDeadLetter($0) }
        }
    }

    private var unknown: Problem {
        .notFound("There is no such dead letter in a state in which this can be done.", code: "unknown-dead-letter")
    }

    private func act(_ context: APIContext, _ act: (String) async throws -> Bool) async throws -> Response {
        guard let id = context.parameters.get("id"), try await act(id) else { throw unknown }
        return JSONResponse.make(.object(["id": .string(id)]))
    }

    private func filter(_ page: OperatorPage) throws(Problem) -> DeadLetterFilter {
        var filter = DeadLetterFilter()
        if let text = page.parameter("state") {
            guard let state = DeadLetter.State(rawValue: text) else {
                throw Problem.badRequest(
                    "state-invalid",
                    "The state is one of " + DeadLetter.State.allCases.map(\.rawValue).joined(separator: ", ") + "."
                )
            }
            filter.state = state
        }
        filter.type = page.parameter("type")
        filter.code = page.parameter("reason")
        filter.subject = page.parameter("subject")
        return filter
    }

    private func document(_ count: DeadLetterCount) -> JSONValue {
        .object([
            "consumer": .string(count.consumer), "reason": .string(count.code),
            "type": count.type.map(JSONValue.string) ?? .null, "state": .string(count.state.rawValue),
            "count": .integer(Int64(count.count)), "oldest": .string(count.oldest.description),
            "newest": .string(count.newest.description),
        ])
    }

    private func document(_ letter: DeadLetter, whole: Bool) -> JSONValue {
        var object: JSONObject = [
            "id": .string(letter.id), "transport": .string(letter.transport), "consumer": .string(letter.consumer),
            "source": .string(letter.source), "messageId": letter.messageID.map(JSONValue.string) ?? .null,
            "type": letter.type.map(JSONValue.string) ?? .null,
            "subject": letter.subject.map(JSONValue.string) ?? .null,
            "class": .string(letter.failureClass), "reason": .string(letter.code), "error": .string(letter.error),
            "attempts": .integer(Int64(letter.attempts)), "firstFailedAt": .string(letter.firstFailedAt.description),
            "failedAt": .string(letter.failedAt.description), "state": .string(letter.state.rawValue),
            "stateReason": letter.stateReason.map(JSONValue.string) ?? .null,
            "requeues": .integer(Int64(letter.requeues)),
            "previousId": letter.previousID.map(JSONValue.string) ?? .null,
            "traceparent": letter.traceparent.map(JSONValue.string) ?? .null,
        ]
        if whole {
            object["headers"] = .array(
                letter.headers.map { .object(["name": .string($0.name), "value": .string($0.value)]) }
            )
            // Hexadecimal keeps the payload byte-exact whatever it is; the text is for the eye.
            object["bodyHex"] = .string(hexadecimal(letter.body))
            object["bodyText"] = .string(String(decoding: letter.body, as: UTF8.self))
            object["xDeath"] = letter.xDeath.map(JSONValue.string) ?? .null
        }
        return .object(object)
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0x0F)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
