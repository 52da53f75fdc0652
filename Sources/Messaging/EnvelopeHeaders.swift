/// Attributes of an ``Envelope`` as text headers, the form in which both transports carry them.
///
/// CloudEvents' Kafka binding (binary mode, section 3.2.3) prefixes attribute names with `ce_`; the AMQP side uses the same
/// names with the prefix `cloudEvents:` in AMQP 1.0. RabbitMQ speaks 0-9-1, for which no binding exists, so both transports
/// use `ce_` here.
public enum EnvelopeHeaders {
    /// The prefix of every attribute's header.
    public static let prefix = "ce_"
    /// The most headers that ``decode(_:body:)`` looks at; more is a fault.
    public static let maximumCount = 64
    /// The most bytes of one header's value.
    public static let maximumValueBytes = 4096

    /// The headers of an envelope, in a fixed order, `content-type` last.
    public static func encode(_ envelope: Envelope) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = [
            ("ce_specversion", "1.0"), ("ce_id", envelope.id), ("ce_source", envelope.source),
            ("ce_type", envelope.type),
            ("ce_subject", envelope.subject), ("ce_time", envelope.time.description),
            ("ce_correlationid", envelope.correlationID), ("ce_attempt", String(envelope.attempt)),
        ]
        if let sequence = envelope.sequence { headers.append(("ce_sequence", String(sequence))) }
        if let causation = envelope.causationID { headers.append(("ce_causationid", causation)) }
        if let trace = envelope.traceparent { headers.append(("ce_traceparent", trace)) }
        if let replyTo = envelope.replyTo { headers.append(("ce_replyto", replyTo)) }
        headers.append(("content-type", envelope.contentType))
        return headers
    }

    /// Reads an envelope from headers and body.
    ///
    /// - Parameters:
    ///   - headers: name and value; unknown names are ignored, a known one that appears twice is a fault.
    ///   - body: the payload, kept as it is.
    /// - Throws: ``EnvelopeFault`` when an attribute is missing or is not what it must be. Never traps.
    public static func decode(
        _ headers: [(name: String, value: String)],
        body: [UInt8]
    ) throws(EnvelopeFault) -> Envelope {
        guard headers.count <= maximumCount else { throw EnvelopeFault(attribute: "headers", reason: .tooMany) }
        var values = Values()
        for (name, value) in headers where name.hasPrefix(prefix) || name == "content-type" {
            guard value.utf8.count <= maximumValueBytes else { throw EnvelopeFault(attribute: name, reason: .tooLong) }
            guard values.take(value, of: name) else { throw EnvelopeFault(attribute: name, reason: .repeated) }
        }
        guard values.specversion == "1.0" else { throw EnvelopeFault(attribute: "ce_specversion", reason: .invalid) }
        let timeText = try required("ce_time", values.time)
        guard let time = Timestamp(timeText) else { throw EnvelopeFault(attribute: "ce_time", reason: .invalid) }
        return Envelope(
            id: try identifier("ce_id", values.id),
            source: try required("ce_source", values.source),
            type: try required("ce_type", values.type),
            subject: try identifier("ce_subject", values.subject),
            time: time,
            sequence: try positive("ce_sequence", values.sequence),
            correlationID: try identifier("ce_correlationid", values.correlationID),
            causationID: values.causationID,
            traceparent: values.traceparent,
            replyTo: values.replyTo,
            attempt: Int(clamping: try positive("ce_attempt", values.attempt) ?? 1),
            contentType: values.contentType ?? "application/json",
            body: body
        )
    }

    /// The texts of the known attributes. No dictionary: this is filled for each message that arrives.
    private struct Values {
        var specversion, id, source, type, subject, time, sequence, correlationID, causationID: String?
        var traceparent, replyTo, attempt, contentType: String?

        /// - Returns: `false` when the attribute has come before.
        mutating func take(_ value: String, of name: String) -> Bool {
            switch name {
            case "ce_specversion": Self.set(&specversion, value)
            case "ce_id": Self.set(&id, value)
            case "ce_source": Self.set(&source, value)
            case "ce_type": Self.set(&type, value)
            case "ce_subject": Self.set(&subject, value)
            case "ce_time": Self.set(&time, value)
            case "ce_sequence": Self.set(&sequence, value)
            case "ce_correlationid": Self.set(&correlationID, value)
            case "ce_causationid": Self.set(&causationID, value)
            case "ce_traceparent": Self.set(&traceparent, value)
            case "ce_replyto": Self.set(&replyTo, value)
            case "ce_attempt": Self.set(&attempt, value)
            case "content-type": Self.set(&contentType, value)
            default: true
            }
        }

        private static func set(_ place: inout String?, _ value: String) -> Bool {
            guard place == nil else { return false }
            place = value
            return true
        }
    }

    private static func required(_ name: String, _ value: String?) throws(EnvelopeFault) -> String {
        guard let value else { throw EnvelopeFault(attribute: name, reason: .missing) }
        guard !value.isEmpty else { throw EnvelopeFault(attribute: name, reason: .invalid) }
        return value
    }

    /// An attribute that becomes a key in tables: printable ASCII, at most 128 bytes.
    private static func identifier(_ name: String, _ text: String?) throws(EnvelopeFault) -> String {
        let value = try required(name, text)
        guard value.utf8.count <= 128, value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw EnvelopeFault(attribute: name, reason: .invalid)
        }
        return value
    }

    private static func positive(_ name: String, _ text: String?) throws(EnvelopeFault) -> Int64? {
        guard let text else { return nil }
        guard text.utf8.count <= 18, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int64(text),
            value >= 1
        else { throw EnvelopeFault(attribute: name, reason: .invalid) }
        return value
    }
}
