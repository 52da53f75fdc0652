import Foundation
import StrictJSON

/// Evidence that is kept as JSON lines.
enum TextFiles {
    /// The gateway's ledger; `nil` when there is no such file. What follows the last line feed (the gateway was killed while
    /// writing, or is writing now) is left out, as the gateway itself does when it starts: nobody was told of it.
    static func gatewayLedger(_ path: String) throws -> [GatewayOperation]? {
        guard let file = try lines(path) else { return nil }
        return try file.complete.enumerated().map { index, line in
            guard let value = try? StrictJSON.parse(Array(line)) else {
                throw EvidenceFault("Line \(index + 1) of \(path) is no JSON.")
            }
            guard let operation = value["operation"]?.stringValue, let result = value["result"]?.stringValue,
                let key = value["key"]?.stringValue, let sequence = value["seq"]?.integerValue,
                let reference = value["reference"]?.stringValue, let amount = value["amount"]?.integerValue,
                let currency = value["currency"]?.stringValue
            else { throw EvidenceFault("Line \(index + 1) of \(path) is no ledger line.") }
            guard sequence == Int64(index + 1) else {
                throw EvidenceFault("Line \(index + 1) of \(path) is numbered \(sequence): the ledger has a gap.")
            }
            return GatewayOperation(
                sequence: sequence,
                operation: operation,
                result: result,
                key: key,
                reference: reference,
                amount: amount,
                currency: currency
            )
        }
    }

    /// The keys of captures that the gateway has taken on and that land later; none when there is no such file. A line that is
    /// not whole was never promised to anyone.
    static func lateKeys(_ path: String) throws -> Set<String> {
        guard let file = try lines(path) else { return [] }
        return Set(file.complete.compactMap { (try? StrictJSON.parse(Array($0)))?["key"]?.stringValue })
    }

    /// What a receiver of webhooks wrote: lines with `id`, `digest`, `verified`, `status` and, if it knows that, its `endpoint`.
    static func receipts(_ path: String) throws -> [WebhookReceipt] {
        guard let file = try lines(path) else { throw EvidenceFault("There is no record \(path).") }
        return try file.complete.enumerated().map { index, line in
            guard let value = try? StrictJSON.parse(Array(line)), let event = value["id"]?.stringValue,
                let digest = value["digest"]?.stringValue, let isVerified = value["verified"]?.boolValue,
                let status = value["status"]?.integerValue
            else { throw EvidenceFault("Line \(index + 1) of \(path) is no request.") }
            return WebhookReceipt(
                event: event,
                digest: digest,
                isVerified: isVerified,
                status: Int(clamping: status),
                endpoint: value["endpoint"]?.stringValue
            )
        }
    }

    /// Ids of poison messages, one in a line. A question mark behind one says that it may not have arrived.
    static func poison(_ path: String) throws -> (certain: Set<String>, doubtful: Set<String>) {
        guard let file = try lines(path) else { throw EvidenceFault("There is no list \(path).") }
        var certain: Set<String> = []
        var doubtful: Set<String> = []
        for line in file.complete + [file.torn] {
            let words = String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
            switch words.count {
            case 0: break
            case 1: certain.insert(words[0])
            case 2 where words[1] == "?": doubtful.insert(words[0])
            default: throw EvidenceFault("\(path) has a line that is no id: \(words.joined(separator: " ").prefix(80))")
            }
        }
        return (certain, doubtful.subtracting(certain))
    }

    /// The history that a load run wrote: lines with `key`, `outcome` and, for acknowledged ones, `order` and `answer`, a digest
    /// of the body; the outcome `read` has the `status` of a read of the order.
    static func loadHistory(_ path: String) throws -> [LoadEntry] {
        guard let file = try lines(path) else { throw EvidenceFault("There is no history \(path).") }
        let lines = file.torn.isEmpty ? file.complete : file.complete + [file.torn]
        var entries: [String: LoadEntry] = [:]
        var keys: [String] = []
        for (index, line) in lines.enumerated() {
            guard let value = try? StrictJSON.parse(Array(line)), let key = value["key"]?.stringValue,
                let outcome = value["outcome"]?.stringValue
            else {
                // The run may have been killed in the middle of its last line; a line that ends is whole or damaged.
                guard index == file.complete.count else {
                    throw EvidenceFault("Line \(index + 1) of \(path) is no entry.")
                }
                continue
            }
            var entry = entries[key] ?? LoadEntry(key: key, outcome: .info, orders: [])
            if entries[key] == nil { keys.append(key) }
            switch outcome {
            case "ok":
                entry.outcome = .ok
                if let order = value["order"]?.stringValue, !entry.orders.contains(order) { entry.orders.append(order) }
                if let answer = value["answer"]?.stringValue, !entry.answers.contains(answer) {
                    entry.answers.append(answer)
                }
            case "read":
                if let status = value["status"]?.integerValue { entry.reads.append(Int(clamping: status)) }
            case "fail" where entry.outcome != .ok:
                entry.outcome = .fail
            default:
                break
            }
            entries[key] = entry
        }
        return keys.compactMap { entries[$0] }
    }

    /// The lines that end with a line feed, and what follows the last one.
    private static func lines(_ path: String) throws -> (complete: [ArraySlice<UInt8>], torn: ArraySlice<UInt8>)? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let torn = lines.popLast() ?? []
        return (lines, torn)
    }
}

/// Evidence that cannot be read.
public struct EvidenceFault: Error, CustomStringConvertible {
    /// What is wrong, in one sentence.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
