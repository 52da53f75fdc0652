import StrictJSON

/// In which form a delivery carries its event. Decided when the delivery is made, so that every attempt sends the same, whatever becomes
/// of the endpoint's settings.
public struct DeliveryForm: Sendable, Hashable {
    /// Only the subject's id is sent, not the event's data.
    public var isThin: Bool
    /// CloudEvents' binary mode: the attributes are headers, the body is the data alone.
    public var isBinary: Bool

    /// Makes a form; the whole event in structured mode unless said otherwise.
    public init(isThin: Bool = false, isBinary: Bool = false) {
        self.isThin = isThin
        self.isBinary = isBinary
    }
}

/// An event as it goes on the wire: the body, and the headers that say what it is.
public struct WebhookContent: Sendable {
    /// The bytes that are signed and sent.
    public let body: [UInt8]
    /// `content-type`; in binary mode the event's attributes as well, `ce-…`.
    public let headers: [(name: String, value: String)]

    /// The whole event in structured mode.
    static func structured(_ body: [UInt8]) -> WebhookContent {
        WebhookContent(body: body, headers: [("content-type", WebhookEvent.contentType)])
    }

    /// The same event in binary mode (CloudEvents HTTP binding 1.0.2, section 3.1). Equal bodies give equal contents.
    ///
    /// - Parameter body: what ``WebhookEvent/body(isTest:)`` wrote; anything else stays as it is.
    static func binary(of body: [UInt8]) -> WebhookContent {
        guard case .object(let event)? = try? StrictJSON.parse(body, limits: .message), let data = event["data"] else {
            return structured(body)
        }
        var headers = [(name: "content-type", value: event["datacontenttype"]?.stringValue ?? "application/json")]
        for member in event.members where member.key != "data" && member.key != "datacontenttype" {
            if let value = text(member.value) { headers.append(("ce-" + member.key, headerValue(value))) }
        }
        return WebhookContent(body: StrictJSON.encode(data), headers: headers)
    }

    /// The canonical text of an attribute; `nil` for what no attribute can be.
    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let number): String(number)
        case .bool(let flag): String(flag)
        case .null, .array, .object: nil
        }
    }

    /// Text as a header can carry it (section 3.1.3.2): a space, `"`, `%` and all that is not visible ASCII become the `%XX` of their
    /// UTF-8 bytes.
    static func headerValue(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            guard (0x21...0x7E).contains(byte), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "%") else {
                bytes += [UInt8(ascii: "%"), hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 0xF)]]
                continue
            }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let hexadecimal = Array("0123456789ABCDEF".utf8)
}

extension StoredWebhook {
    /// What every attempt of a delivery sends. An erased event has an empty body in every form.
    public func content(as form: DeliveryForm) -> WebhookContent {
        guard !body.isEmpty else { return .structured(body) }
        let whole = form.isThin ? WebhookEvent.thin(body, subject: subject, dataref: dataref) : body
        return form.isBinary ? .binary(of: whole) : .structured(whole)
    }
}
