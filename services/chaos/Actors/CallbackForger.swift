import Cryptography
import Foundation
import HTTPKit
import StrictJSON

/// Speaks to payment's callback address as if it were the gateway: with wrong signatures, with old news, with lies.
struct CallbackForger: Sendable {
    private let installation: Installation
    private let url: String
    private let key: [UInt8]

    /// - Throws: ``FaultRefusal`` when the gateway's secret or payment's address cannot be read.
    init(_ installation: Installation) throws(FaultRefusal) {
        self.installation = installation
        let file = installation.directory + "/secrets/gateway-callback-secret"
        guard let text = try? String(contentsOfFile: file, encoding: .utf8),
            let bytes = Data(
                base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines).dropFirst(6).description
            ),
            let base = installation.environment["WAYBILL_PAYMENT_URL"]
        else { throw FaultRefusal("the gateway's secret cannot be read") }
        key = [UInt8](bytes)
        url = base + "/v1/gateway-callbacks"
    }

    /// How a callback is signed.
    enum Signature {
        case right
        case none
        case wrongKey
        /// Right, but of another body.
        case otherBody
        /// Right, and ten minutes old.
        case old
    }

    /// The last lines of the gateway's ledger, as the callbacks' data.
    func recentEntries(_ count: Int) -> [JSONValue] {
        let path = installation.directory + "/data/gateway/ledger.jsonl"
        guard let file = FileHandle(forReadingAtPath: path) else { return [] }
        defer { try? file.close() }
        let end = (try? file.seekToEnd()) ?? 0
        try? file.seek(toOffset: end > 200_000 ? end - 200_000 : 0)
        let text = (try? file.readToEnd()) ?? Data()
        // The first line may be cut by where we began to read.
        return text.split(separator: UInt8(ascii: "\n")).dropFirst().suffix(count).compactMap { line in
            guard let value = try? StrictJSON.parse([UInt8](line)), var object = value.objectValue else { return nil }
            object["hash"] = nil
            return .object(object)
        }
    }

    /// Sends one callback and returns the status of the answer; `nil` without one.
    func send(_ entry: JSONValue, id: String, _ signature: Signature) async -> Int? {
        let type = "card.\(entry["operation"]?.stringValue ?? "").\(entry["result"]?.stringValue ?? "")"
        let body = StrictJSON.encode(
            .object(["data": entry, "timestamp": entry["at"] ?? .null, "type": .string(type)])
        )
        let now = Int64(Date().timeIntervalSince1970)
        let time = String(signature.isOld ? now - 600 : now)
        var headers = [("content-type", "application/json"), ("webhook-id", id), ("webhook-timestamp", time)]
        switch signature {
        case .right, .old: headers.append(("webhook-signature", sign(id, time, body, key)))
        case .none: break
        case .wrongKey: headers.append(("webhook-signature", sign(id, time, body, randomBytes(32))))
        case .otherBody: headers.append(("webhook-signature", sign(id, time, body + [UInt8(ascii: " ")], key)))
        }
        guard
            case .success(let reply) = await installation.sender.send(
                "POST",
                url: url,
                headers: headers,
                body: body,
                deadline: .seconds(2)
            )
        else { return nil }
        return reply.status
    }

    private func sign(_ id: String, _ time: String, _ body: [UInt8], _ key: [UInt8]) -> String {
        let code = HMACSHA256.code(for: Array("\(id).\(time).".utf8) + body, key: key)
        return "v1," + Data(code).base64EncodedString()
    }
}

extension CallbackForger.Signature {
    fileprivate var isOld: Bool {
        if case .old = self { true } else { false }
    }
}
