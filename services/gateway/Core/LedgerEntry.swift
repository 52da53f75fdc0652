import Cryptography
public import Messaging
public import StrictJSON

/// One line of the gateway's ledger: what it did, for whom, under which key.
///
/// On disk it is one JSON object per line with sorted keys and the member `hash` last: the SHA-256, in lower-case hexadecimal, of
/// the previous line's hash (as text; 64 zeros before the first) followed by this line's bytes without `,"hash":"…"`.
public struct LedgerEntry: Sendable, Hashable {
    /// 1, 2, 3 … without gaps.
    public let seq: Int64
    /// When it was recorded.
    public let at: Timestamp
    /// What was asked.
    public let operation: GatewayOperation
    /// What became of it.
    public let result: GatewayResult
    /// The idempotency key.
    public let key: String
    /// The merchant's name for it: the order.
    public let reference: String
    /// Minor units.
    public let amount: Int64
    /// ISO 4217.
    public let currency: String
    /// The card's token.
    public let card: String
    /// The authorization concerned; on an authorization its own name. Absent when it was declined or not found.
    public let authorization: String?
    /// The capture concerned; on a capture its own name.
    public let capture: String?
    /// Why it was declined or refused.
    public let reason: String?

    /// The hash before the first line.
    public static let genesis = String(repeating: "0", count: 64)

    /// The gateway's name for this operation.
    public var id: String { operation.namePrefix + String(seq) }

    /// The members that are shown to merchants: everything but the hash.
    public var document: JSONValue {
        var members: [JSONMember] = [
            JSONMember("amount", .integer(amount)), JSONMember("at", .string(at.description)),
            JSONMember("card", .string(card)), JSONMember("currency", .string(currency)), JSONMember("id", .string(id)),
            JSONMember("key", .string(key)), JSONMember("operation", .string(operation.rawValue)),
            JSONMember("reference", .string(reference)), JSONMember("result", .string(result.rawValue)),
            JSONMember("seq", .integer(seq)),
        ]
        if let authorization { members.append(JSONMember("authorization", .string(authorization))) }
        if let capture { members.append(JSONMember("capture", .string(capture))) }
        if let reason { members.append(JSONMember("reason", .string(reason))) }
        return .object(JSONObject(members))
    }

    /// The line, with its line feed, and its hash.
    public func line(after previousHash: String) -> (bytes: [UInt8], hash: String) {
        var bytes = StrictJSON.encode(document)
        let hash = Self.hash(of: bytes, after: previousHash)
        bytes.removeLast()
        bytes.append(contentsOf: #","hash":""#.utf8)
        bytes.append(contentsOf: hash.utf8)
        bytes.append(contentsOf: "\"}\n".utf8)
        return (bytes, hash)
    }

    /// Reads a line (without its line feed) and checks its place in the chain.
    /// - Throws: ``LedgerFault``.
    public static func read(
        _ line: some Collection<UInt8>,
        seq: Int64,
        after previousHash: String
    ) throws(LedgerFault) -> (entry: LedgerEntry, hash: String) {
        let bytes = Array(line)
        let value: JSONValue
        do throws(JSONFault) {
            value = try StrictJSON.parse(bytes)
        } catch {
            throw LedgerFault(line: seq, "is not JSON")
        }
        // `,"hash":"` + 64 digits + `"}`
        let suffix = 9 + 64 + 2
        guard let hash = value["hash"]?.stringValue, hash.utf8.count == 64, bytes.count > suffix else {
            throw LedgerFault(line: seq, "has no hash")
        }
        let content = bytes.dropLast(suffix) + [UInt8(ascii: "}")]
        guard self.hash(of: Array(content), after: previousHash) == hash else {
            throw LedgerFault(line: seq, "does not fit the line before it")
        }
        guard value["seq"]?.integerValue == seq else { throw LedgerFault(line: seq, "has another number") }
        guard let entry = LedgerEntry(value) else { throw LedgerFault(line: seq, "lacks a member") }
        return (entry, hash)
    }

    private static func hash(of bytes: [UInt8], after previousHash: String) -> String {
        SHA256.hash(Array(previousHash.utf8) + bytes).hexadecimal
    }
}

extension LedgerEntry {
    init?(_ value: JSONValue) {
        guard let seq = value["seq"]?.integerValue, let atText = value["at"]?.stringValue, let at = Timestamp(atText),
            let operation = value["operation"]?.stringValue.flatMap(GatewayOperation.init(rawValue:)),
            let result = value["result"]?.stringValue.flatMap(GatewayResult.init(rawValue:)),
            let key = value["key"]?.stringValue, let reference = value["reference"]?.stringValue,
            let amount = value["amount"]?.integerValue, let currency = value["currency"]?.stringValue,
            let card = value["card"]?.stringValue
        else { return nil }
        self.init(
            seq: seq,
            at: at,
            operation: operation,
            result: result,
            key: key,
            reference: reference,
            amount: amount,
            currency: currency,
            card: card,
            authorization: value["authorization"]?.stringValue,
            capture: value["capture"]?.stringValue,
            reason: value["reason"]?.stringValue
        )
    }
}

/// Why a ledger cannot be trusted. The gateway then refuses to start: money is at stake.
public struct LedgerFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, in one sentence.
    public let description: String

    init(line: Int64, _ what: String) {
        description = "Line \(line) of the gateway's ledger \(what)."
    }

    init(_ description: String) {
        self.description = description
    }
}
