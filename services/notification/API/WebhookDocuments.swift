import Messaging
import StrictJSON
import Webhooks

/// What the operators' routes answer with.
enum WebhookDocuments {
    static func endpoint(_ endpoint: WebhookEndpoint, inFlight: Int, at now: Timestamp) -> JSONObject {
        let settings = endpoint.settings
        return [
            "id": .string(endpoint.id), "uid": text(settings.uid), "url": .string(settings.url),
            "description": .string(settings.description),
            "eventTypes": .array(settings.eventTypes.map(JSONValue.string)),
            "state": .string(endpoint.state.name), "reason": text(endpoint.state.reason?.rawValue),
            // Often credentials: only their names are shown.
            "headers": .object(JSONObject(settings.headers.keys.sorted().map { JSONMember($0, "…") })),
            "metadata": .object(
                JSONObject(settings.metadata.sorted { $0.key < $1.key }.map { JSONMember($0.key, .string($0.value)) })
            ),
            "timeoutMs": integer(settings.timeoutMilliseconds), "maxInFlight": integer(settings.maximumInFlight),
            "throttlePerSecond": integer(settings.throttlePerSecond), "ordering": .string(settings.ordering.rawValue),
            "onExhausted": .string(settings.onExhausted.rawValue),
            "terminalStatuses": .array(settings.terminalStatuses.sorted().map { .integer(Int64($0)) }),
            "scheduleMs": settings.schedule.map { .array($0.map(JSONValue.integer)) } ?? .null,
            "signs": .string(settings.signs.rawValue), "publicKey": text(endpoint.publicKey?.description),
            "breakerThreshold": integer(settings.breakerThreshold),
            "channels": .array(settings.channels.map(JSONValue.string)),
            "filter": settings.filter?.document ?? .null, "payload": .string(settings.payload.rawValue),
            "format": .string(settings.format.rawValue),
            "asksConsent": .bool(settings.asksConsent), "allowedPerMinute": integer(endpoint.allowedPerMinute),
            "exhaustedInRow": integer(endpoint.exhaustedInRow),
            "breaker": .string(endpoint.breaker.name(at: now)), "breakerUntil": time(endpoint.breaker.openUntil),
            "holdUntil": time(endpoint.holdUntil.flatMap { $0 > now ? $0 : nil }),
            "failingSince": time(endpoint.failingSince),
            "lastSuccessAt": time(endpoint.lastSuccessAt), "inFlight": integer(inFlight),
            "version": .integer(endpoint.version), "createdAt": time(endpoint.createdAt),
            "updatedAt": time(endpoint.updatedAt),
        ]
    }

    static func handshake(_ handshake: WebhookHandshake) -> JSONValue {
        .object([
            "attempts": integer(handshake.attempts), "askedAt": time(handshake.askedAt),
            "nextAt": time(handshake.nextAt),
            "result": text(handshake.result), "grantedAt": time(handshake.grantedAt),
        ])
    }

    static func delivery(_ delivery: Delivery) -> JSONObject {
        [
            "id": .string(delivery.id), "webhookId": .string(delivery.messageID),
            "endpointId": .string(delivery.endpointID),
            "type": .string(delivery.type), "subject": .string(delivery.subject),
            "state": .string(delivery.state.rawValue),
            "trigger": .string(delivery.trigger.rawValue), "attempts": integer(delivery.attempts),
            "failures": integer(delivery.failures), "lastStatus": integer(delivery.lastStatus),
            "lastCode": text(delivery.lastCode), "reason": text(delivery.reason),
            "payload": .string(delivery.form.isThin ? "thin" : "full"),
            "format": .string(delivery.form.isBinary ? "binary" : "structured"),
            "orderingKey": text(delivery.orderingKey),
            "nextAttemptAt": time(delivery.nextAttemptAt),
            "createdAt": time(delivery.createdAt), "completedAt": time(delivery.completedAt),
            "cursor": .string(String(delivery.seq)),
        ]
    }

    static func attempt(_ attempt: DeliveryAttempt) -> JSONValue {
        .object([
            "id": .string(attempt.id), "number": integer(attempt.number), "trigger": .string(attempt.trigger.rawValue),
            "state": .string(attempt.state), "startedAt": time(attempt.startedAt), "endedAt": time(attempt.endedAt),
            "url": .string(attempt.url), "address": text(attempt.address), "status": integer(attempt.status),
            "code": text(attempt.code), "detail": text(attempt.detail),
            "requestHeaders": parsed(attempt.requestHeaders),
            "responseHeaders": attempt.responseHeaders.map(parsed) ?? .null,
            "responseBody": attempt.responseBody.map { .string(String(decoding: $0, as: UTF8.self)) } ?? .null,
            "responseTruncated": .bool(attempt.isTruncated), "resolveUs": integer(attempt.timings.resolve),
            "connectUs": integer(attempt.timings.connect), "tlsUs": integer(attempt.timings.tls),
            "firstByteUs": integer(attempt.timings.firstByte), "totalUs": .integer(attempt.timings.total),
            "nextAttemptAt": time(attempt.nextAttemptAt),
        ])
    }

    static func time(_ time: Timestamp?) -> JSONValue { time.map { .string($0.description) } ?? .null }

    static func text(_ text: String?) -> JSONValue { text.map(JSONValue.string) ?? .null }

    static func integer(_ number: (some BinaryInteger)?) -> JSONValue { number.map { .integer(Int64($0)) } ?? .null }

    private static func parsed(_ text: String) -> JSONValue { (try? StrictJSON.parse(Array(text.utf8))) ?? .null }
}
