import DurableStore
import Messaging
import StrictJSON

/// Dead letters and what is done about them as JSON.
enum DeadLetterDocument {
    /// The reason under which parked rows of the outbox are listed.
    static let parkedReason = "outbox-parked"

    static func make(_ count: DeadLetterCount) -> JSONValue {
        .object([
            "consumer": .string(count.consumer), "reason": .string(count.code), "type": text(count.type),
            "state": .string(count.state.rawValue), "count": .integer(Int64(count.count)),
            "oldest": .string(count.oldest.description), "newest": .string(count.newest.description),
        ])
    }

    static func make(_ letter: DeadLetter, whole: Bool) -> JSONValue {
        var object: JSONObject = [
            "id": .string(letter.id), "transport": .string(letter.transport), "consumer": .string(letter.consumer),
            "source": .string(letter.source), "messageId": text(letter.messageID), "type": text(letter.type),
            "subject": text(letter.subject), "correlationId": text(letter.correlationID),
            "class": .string(letter.failureClass), "reason": .string(letter.code), "error": .string(letter.error),
            "attempts": .integer(Int64(letter.attempts)), "firstFailedAt": .string(letter.firstFailedAt.description),
            "failedAt": .string(letter.failedAt.description), "state": .string(letter.state.rawValue),
            "stateReason": text(letter.stateReason), "stateChangedAt": .string(letter.stateChangedAt.description),
            "requeues": .integer(Int64(letter.requeues)), "previousId": text(letter.previousID),
            "editedFrom": text(letter.editedFrom), "traceparent": text(letter.traceparent),
        ]
        if whole {
            object["headers"] = .array(
                letter.headers.map { .object(["name": .string($0.name), "value": .string($0.value)]) }
            )
            // Hexadecimal keeps the payload byte-exact whatever it is; the text is for the eye.
            object["bodyHex"] = .string(hexadecimal(letter.body))
            object["bodyText"] = .string(String(decoding: letter.body, as: UTF8.self))
            object["xDeath"] = text(letter.xDeath)
        }
        return .object(object)
    }

    static func make(_ row: OutboxRow) -> JSONValue {
        .object([
            "id": .string("outbox-\(row.seq)"), "transport": .string(row.message.destination.transport.rawValue),
            "consumer": .string(text(row.message.destination)), "source": .string("outbox"),
            "messageId": .string(row.message.envelope.id), "type": .string(row.message.envelope.type),
            "subject": .string(row.message.envelope.subject), "class": .string(FailureClass.poison.rawValue),
            "reason": .string(parkedReason), "error": text(row.parkedReason),
            "attempts": .integer(Int64(row.attempts)), "failedAt": text(row.parkedAt?.description),
            "state": .string("parked"),
        ])
    }

    static func make(_ result: DeadLetterResult) -> JSONValue {
        .object([
            "result": .string(result.kind.rawValue), "code": text(result.code), "sentence": text(result.sentence),
            "newId": text(result.newID),
        ])
    }

    static func make(_ act: DeadLetterAct) -> JSONValue {
        .object([
            "seq": .integer(act.id), "letter": text(act.letterID), "job": text(act.jobID),
            "verb": .string(act.verb.rawValue), "actor": .string(act.actor), "reason": text(act.reason),
            "outcome": .string(act.outcome), "detail": text(act.detail), "at": .string(act.at.description),
        ])
    }

    static func make(_ job: DeadLetterJob) -> JSONValue {
        var outcomes = JSONObject()
        for kind in DeadLetterResult.Kind.allCases {
            if let count = job.outcomes[kind] { outcomes[kind.rawValue] = .integer(Int64(count)) }
        }
        return .object([
            "id": .string(job.id), "selection": .string(job.selection), "actor": .string(job.actor.name),
            "reason": text(job.actor.reason),
            "ratePerMinute": job.pace.ratePerMinute.map { .integer(Int64($0)) } ?? .null,
            "failurePercent": .integer(Int64(job.pace.failurePercent)), "state": .string(job.state.rawValue),
            "detail": text(job.detail), "total": .integer(Int64(job.total)), "waiting": .integer(Int64(job.waiting)),
            "batch": .integer(Int64(job.batch)), "outcomes": .object(outcomes),
            "startedAt": .string(job.startedAt.description), "endedAt": text(job.endedAt?.description),
        ])
    }

    static func make(_ item: DeadLetterJobItem) -> JSONValue {
        .object([
            "position": .integer(Int64(item.position)), "letter": .string(item.letterID),
            "outcome": text(item.outcome?.rawValue), "code": text(item.code),
        ])
    }

    static func make(_ key: ParkedKey) -> JSONValue {
        .object([
            "consumer": .string(key.consumer), "topic": .string(key.topic),
            "partition": .integer(Int64(key.partition)), "subject": .string(key.subject),
            "records": .integer(Int64(key.records)), "offset": .integer(key.offset),
            "attempts": .integer(Int64(key.attempts)), "parkedAt": .string(key.parkedAt.description),
            "nextAttemptAt": .string(key.nextAttemptAt.description), "error": .string(key.error),
        ])
    }

    /// Where a message goes.
    static func text(_ destination: Destination) -> String {
        switch destination {
        case .exchange(let exchange, let routingKey):
            exchange == routingKey ? exchange : "\(exchange):\(routingKey)"
        case .topic(let topic): topic
        }
    }

    private static func text(_ value: String?) -> JSONValue { value.map(JSONValue.string) ?? .null }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
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
