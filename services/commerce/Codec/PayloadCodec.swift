public import Messaging
import StrictJSON

/// Payloads to and from bytes. Unknown fields are ignored, so that a newer producer may add some.
public enum PayloadCodec {
    /// Reads the payload of a message whose type the caller has matched.
    public static func decode<Payload: Decodable>(
        _ type: Payload.Type = Payload.self,
        from envelope: Envelope
    ) throws(PayloadFault) -> Payload {
        try decode(type, from: envelope.body)
    }

    /// Reads a payload from bytes.
    public static func decode<Payload: Decodable>(
        _ type: Payload.Type = Payload.self,
        from bytes: [UInt8]
    ) throws(PayloadFault) -> Payload {
        do throws(JSONFault) {
            return try StrictJSON.decode(type, from: bytes, limits: .message, unknownFields: .ignore)
        } catch {
            throw PayloadFault(code: error.code.rawValue, error.description)
        }
    }

    /// Writes a payload. Keys are sorted, so equal payloads are equal bytes.
    public static func encode<Payload: Encodable>(_ payload: Payload) throws(PayloadFault) -> [UInt8] {
        do {
            return try StrictJSON.encode(payload)
        } catch {
            throw PayloadFault(
                code: "payload-unencodable",
                "A payload of type \(Payload.self) could not be written: \(error)"
            )
        }
    }
}
