import Foundation
import StrictJSON

/// Messages that nobody should have sent.
enum Poison {
    /// Payloads that are no commands, whatever their type says.
    static let payloads = misshapen + unreadable

    /// Payloads that no reader of a topic takes. Notification passes any JSON on, and nobody else reads the events of inventory.
    static func payloads(for topic: String) -> [[UInt8]] { topic == "inventory" ? unreadable : payloads }

    /// JSON of the wrong shape.
    private static let misshapen: [[UInt8]] = ["{}", "[]", #"{"orderID":7}"#, #"{"orderID":"x"}"#].map {
        Array($0.utf8)
    }

    /// No JSON, too deep, duplicate keys, not UTF-8, UTF-16, numbers that are no whole numbers.
    private static let unreadable: [[UInt8]] =
        ["nope", "", String(repeating: "[", count: 513)].map { Array($0.utf8) }
        + [
            Array(#"{"orderID":"\#(order)","orderID":"\#(order)"}"#.utf8),
            Array(#"{"orderID":""#.utf8) + [0xff, 0xfe] + Array(#""}"#.utf8), [0xff, 0xfe, 0x7b, 0x00, 0x22, 0x00],
            Array(#"{"orderID":"\#(order)","items":[{"sku":"A","quantity":1e2}],"expiresAt":"x"}"#.utf8),
        ]

    private static let order = "00000000-0000-7000-8000-000000000001"

    /// A message for an inbox with a whole envelope, so that only its payload is wrong.
    static func message(for inbox: String, id: String, payload: [UInt8]) -> CapturedMessage {
        let type =
            switch inbox {
            case "order.inbox": "waybill.inventory.reserved.v1"
            case "payment.inbox": "waybill.payment.capture.v1"
            default: "waybill.inventory.reserve.v1"
            }
        return CapturedMessage(
            inbox: inbox,
            payload: Data(payload).base64EncodedString(),
            properties: .object(["delivery_mode": 2, "headers": .object(JSONObject(headers(id: id, type: type)))])
        )
    }

    /// The attributes of an envelope.
    static func attributes(id: String, type: String) -> [(String, String)] {
        [
            ("ce_specversion", "1.0"), ("ce_id", id), ("ce_source", "/chaos"), ("ce_type", type), ("ce_subject", order),
            ("ce_time", "2026-01-01T00:00:00Z"), ("ce_correlationid", order),
        ]
    }

    private static func headers(id: String, type: String) -> [JSONMember] {
        attributes(id: id, type: type).map { JSONMember($0.0, .string($0.1)) }
    }
}
