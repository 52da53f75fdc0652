import Messaging

/// How a failed message becomes a retry or a dead letter: pure functions.
enum DeadLetterForm {
    /// The message again, one attempt further, by way of a waiting queue.
    static func retry(
        _ message: ReceivedMessage,
        _ envelope: Envelope,
        inbox: String,
        level: RetryPolicy.Level,
        expirationMilliseconds: Int64,
        now: Timestamp
    ) -> OutgoingMessage {
        var again = envelope
        again.attempt = envelope.attempt + 1
        var extra = carried(message)
        if extra[DeadLetterHeaders.firstFailedAt] == nil { extra[DeadLetterHeaders.firstFailedAt] = now.description }
        return OutgoingMessage(
            to: .exchange(inbox + ".retry", routingKey: inbox + ".retry." + level.name),
            again,
            extraHeaders: extra,
            expirationMilliseconds: expirationMilliseconds
        )
    }

    /// The message on its way to the dead-letter queue of its inbox.
    ///
    /// - Parameter newID: for the envelope of a message whose own cannot be read.
    static func deadLetter(
        _ message: ReceivedMessage,
        inbox: String,
        failure: Failure,
        now: Timestamp,
        newID: () -> String
    ) -> OutgoingMessage {
        let envelope = (try? message.envelope.get()) ?? unreadable(message, inbox: inbox, id: newID(), now: now)
        let attempts = (try? message.envelope.get())?.attempt ?? 1
        var extra = carried(message)
        extra[DeadLetterHeaders.reason] = failure.code.capped(atUTF8: 256)
        extra[DeadLetterHeaders.failureClass] = failure.failureClass.rawValue
        extra[DeadLetterHeaders.error] = failure.description.capped(atUTF8: DeadLetterHeaders.maximumErrorBytes)
        extra[DeadLetterHeaders.attempts] = String(attempts)
        extra[DeadLetterHeaders.firstFailedAt] = message.header(DeadLetterHeaders.firstFailedAt) ?? now.description
        extra[DeadLetterHeaders.failedAt] = now.description
        extra[DeadLetterHeaders.source] = inbox
        extra[DeadLetterHeaders.id] = identifier(message, consumer: inbox)
        let (original, truncated) = boundedHeaders(message.headers)
        extra[DeadLetterHeaders.original] = String(decoding: original, as: UTF8.self)
        if truncated { extra[DeadLetterHeaders.truncated] = "true" }
        return OutgoingMessage(
            to: .exchange(inbox + ".dead", routingKey: inbox + ".dead"),
            envelope,
            extraHeaders: extra
        )
    }

    /// The id of a message's dead letter: the same for every copy of the message, another one after it was requeued.
    static func identifier(_ message: ReceivedMessage, consumer: String) -> String {
        var bytes = [UInt8](consumer.utf8)
        func add(_ text: String) {
            bytes.append(0)
            bytes.append(contentsOf: text.utf8)
        }
        switch message.envelope {
        case .success(let envelope):
            add(envelope.id)
            add(envelope.type)
        case .failure:
            for header in message.headers where !isBrokers(header.name) {
                add(header.name)
                add(header.value)
            }
        }
        if case .record = message.source { add(message.source.description) }
        add(message.header(DeadLetterHeaders.previous) ?? "")
        bytes.append(0)
        bytes.append(contentsOf: message.body)
        let digest = PayloadHash.murmur3(bytes)
        return hex(digest.high) + hex(digest.low)
    }

    /// As many of the headers as fit, as JSON pairs.
    static func boundedHeaders(_ headers: [(name: String, value: String)]) -> (bytes: [UInt8], truncated: Bool) {
        var kept = headers
        var bytes = HeaderText.encode(kept)
        while bytes.count > DeadLetterHeaders.maximumOriginalBytes, !kept.isEmpty {
            kept.removeLast(max(1, kept.count / 4))
            bytes = HeaderText.encode(kept)
        }
        return (bytes, kept.count < headers.count)
    }

    /// Headers that stay with a message beside its envelope's: none of the broker's own, which it writes anew.
    private static func carried(_ message: ReceivedMessage) -> [String: String] {
        var carried: [String: String] = [:]
        var bytes = 0
        for (name, value) in message.headers.prefix(EnvelopeHeaders.maximumCount)
        where !name.hasPrefix(EnvelopeHeaders.prefix) && name != "content-type" && !isBrokers(name)
            && name != DeadLetterHeaders.original
        {
            bytes += name.utf8.count + value.utf8.count
            guard bytes <= 16_384 else { break }
            carried[name] = value
        }
        return carried
    }

    private static func isBrokers(_ name: String) -> Bool {
        name == "x-death" || name == "x-delivery-count" || name.hasPrefix("x-first-death-")
            || name.hasPrefix("x-last-death-")
    }

    /// An envelope for bytes that have none. Its subject is its own id, so that such letters do not wait for one another.
    private static func unreadable(_ message: ReceivedMessage, inbox: String, id: String, now: Timestamp) -> Envelope {
        Envelope(
            id: id,
            source: "/dead-letters/" + inbox,
            type: "dead-letter.unreadable.v1",
            subject: id,
            time: now,
            correlationID: id,
            contentType: "application/octet-stream",
            body: message.body
        )
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension ReceivedMessage {
    /// The first header of a name.
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}
