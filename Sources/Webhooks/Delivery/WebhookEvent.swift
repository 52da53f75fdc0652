public import Messaging
public import StrictJSON

/// Something that happened, on its way to everybody who wants to know.
public struct WebhookEvent: Sendable, Hashable {
    /// The same on every attempt and to every endpoint; becomes `webhook-id`. Visible ASCII without points, at most 128 bytes.
    public var id: String
    /// Who says so, a URI reference.
    public var source: String
    /// Parts of letters, digits and `_` between points.
    public var type: String
    /// What it is about; the key of ordered endpoints.
    public var subject: String
    /// When it happened.
    public var time: Timestamp
    /// Position among the events about the subject.
    public var sequence: Int64?
    /// The process that it belongs to.
    public var correlationID: String?
    /// The trace that it belongs to; also sent as a header.
    public var traceparent: String?
    /// What happened.
    public var data: JSONValue
    /// What endpoints may ask for beside the type.
    public var channels: [String]
    /// Where the data can be read, a URI reference; goes into thin forms.
    public var dataref: String?

    /// Makes an event.
    public init(
        id: String,
        source: String,
        type: String,
        subject: String,
        time: Timestamp,
        sequence: Int64? = nil,
        correlationID: String? = nil,
        traceparent: String? = nil,
        data: JSONValue,
        channels: [String] = [],
        dataref: String? = nil
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        self.sequence = sequence
        self.correlationID = correlationID
        self.traceparent = traceparent
        self.data = data
        self.channels = channels
        self.dataref = dataref
    }

    /// The event of an envelope whose body is JSON.
    /// - Throws: a poison ``Failure``, `webhook-data-invalid`, when the body is no JSON; `webhook-event-invalid` for an id or type
    ///   that cannot be a webhook's.
    public init(_ envelope: Envelope) throws(Failure) {
        let data: JSONValue
        do throws(JSONFault) {
            data = try StrictJSON.parse(envelope.body, limits: .message)
        } catch {
            throw Failure(.poison, code: "webhook-data-invalid", "The event's body is no JSON: \(error.sentence)")
        }
        self.init(
            id: envelope.id,
            source: envelope.source,
            type: envelope.type,
            subject: envelope.subject,
            time: envelope.time,
            sequence: envelope.sequence,
            correlationID: envelope.correlationID,
            traceparent: envelope.traceparent,
            data: data
        )
        guard WebhookRules.isID(id), EventTypePattern(type) != nil, !type.contains("*") else {
            throw Failure(
                .poison,
                code: "webhook-event-invalid",
                "The event's id or type cannot be a webhook's: no points in ids, no spaces."
            )
        }
    }

    /// The one body: a CloudEvent 1.0 in structured mode that is a Standard Webhook (`type`, `timestamp`, `data`) as well. Keys are
    /// sorted, so equal events are equal bytes.
    ///
    /// - Parameter isTest: adds `"test": true`.
    public func body(isTest: Bool = false) -> [UInt8] { StrictJSON.encode(document(isTest: isTest)) }

    /// What ``body(isTest:)`` writes; filters are held against it.
    func document(isTest: Bool = false) -> JSONValue {
        var object: JSONObject = [
            "specversion": "1.0", "id": .string(id), "source": .string(source), "type": .string(type),
            "subject": .string(subject), "time": .string(time.description), "timestamp": .string(time.description),
            "datacontenttype": "application/json", "data": data,
        ]
        if let sequence { object["sequence"] = .integer(sequence) }
        if let correlationID { object["correlationid"] = .string(correlationID) }
        if let traceparent { object["traceparent"] = .string(traceparent) }
        if isTest { object["test"] = true }
        return .object(object)
    }

    /// The thin form of a whole body: `data` holds only the subject's id, and `dataref` (an extension of CloudEvents) says where the
    /// rest is. Equal bodies have equal thin forms.
    static func thin(_ body: [UInt8], subject: String, dataref: String?) -> [UInt8] {
        // Written by ``body(isTest:)``: it is an object.
        guard case .object(var object)? = try? StrictJSON.parse(body, limits: .message) else { return body }
        object["data"] = ["id": .string(subject)]
        if let dataref { object["dataref"] = .string(dataref) }
        return StrictJSON.encode(.object(object))
    }

    /// The content type of ``body(isTest:)``.
    public static let contentType = "application/cloudevents+json; charset=utf-8"
}
