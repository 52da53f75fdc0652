import Foundation
import NIOCore
import Testing

@testable import EventLog

/// Every message of every listed version against bytes that another implementation made; see
/// `Fixtures/generate_golden_vectors.py`.
@Suite struct GoldenVectorTests {
    struct Vector: Decodable, CustomTestStringConvertible {
        var message: String
        var version: Int16
        var variant: String
        var flexible: Bool
        var hex: String
        var leaves: [[String]]

        var testDescription: String { "\(message) \(version) \(variant)" }
        var bytes: ByteBuffer { ByteBuffer(bytes: hexBytes(hex)) }
    }

    static let vectors: [Vector] = {
        guard let url = Bundle.module.url(forResource: "Fixtures/golden-vectors", withExtension: "jsonl"),
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { return [] }
        return text.split(separator: "\n").compactMap { try? JSONDecoder().decode(Vector.self, from: Data($0.utf8)) }
    }()

    /// Every message of the version table, by the name that the protocol guide gives it.
    static let messages = Dictionary(
        uniqueKeysWithValues: ApiTable.rows.flatMap { [$0.handler.request, $0.handler.response] }.map { ("\($0)", $0) }
    )

    /// What this code calls a field of the protocol guide, where that is not the same in another case.
    static let aliases: [String: Set<String>] = [
        "throttle_time_ms": ["throttleMs"], "error_code": ["error"], "topic": ["name"], "topic_name": ["name"],
        "partition": ["index", "partition"], "partition_index": ["index", "partition"], "partition_id": ["index"],
        "partition_max_bytes": ["maxBytes"], "topic_id": ["id"], "generation_id": ["generation"],
        "committed_offset": ["offset"], "committed_leader_epoch": ["leaderEpoch"], "committed_metadata": ["metadata"],
        "num_partitions": ["partitionCount"], "max_num_offsets": ["maxOffsets"], "broker_id": ["nodeId"],
        "broker_ids": ["brokers"], "replica_nodes": ["replicas"], "isr_nodes": ["inSyncReplicas"],
        "protocol_data": ["protocolName"], "member_metadata": ["metadata"], "member_assignment": ["assignment"],
        "group_state": ["state"], "is_sensitive": ["isSensitive"], "read_only": ["isReadOnly"],
        "config_source": ["source"], "config_type": ["type"], "resource_type": ["type"], "resource_name": ["name"],
        "configuration_keys": ["keys"], "api_key": ["key"], "min_version": ["minVersion"],
        "topic_authorized_operations": ["authorizedOperations"],
        "cluster_authorized_operations": ["clusterAuthorizedOperations", "authorizedOperations"],
        "partition_indexes": ["partitions"], "partitions": ["partitions"], "topic_names": ["names"],
        "groups_names": ["groups"], "key": ["key", "keys"], "coordinator_keys": ["keys"],
        "batch_index_error_message": ["message"], "generation_id_or_member_epoch": ["generation"],
        "authorized_operations": ["authorizedOperations", "clusterAuthorizedOperations"],
    ]

    @Test func everyListedVersionHasVectors() {
        for row in ApiTable.rows {
            let name = "\(row.key)".prefix(1).uppercased() + "\(row.key)".dropFirst()
            for kind in ["Request", "Response"] {
                for version in row.advertised {
                    let found = Self.vectors.filter { $0.message == name + kind && $0.version == version }
                    #expect(found.count == 2, "\(name)\(kind) \(version)")
                    #expect(found.allSatisfy { $0.flexible == row.isFlexible(version) })
                }
            }
        }
    }

    @Test(arguments: vectors) func roundTrip(_ vector: Vector) throws {
        let type = try #require(Self.messages[vector.message])
        try check(type, vector)
    }

    private func check<Message: WireStruct>(_ type: Message.Type, _ vector: Vector) throws {
        var reader = WireReader(vector.bytes, version: vector.version, isFlexible: vector.flexible)
        let message = try reader.message(type)
        #expect(reader.buffer.readableBytes == 0)
        var writer = WireWriter(version: vector.version, isFlexible: vector.flexible)
        writer.message(message)
        #expect(writer.finishContiguous() == vector.bytes)
        // Every value was given to one field only: it must be in the field of the same name here.
        var labels: [String: Set<String>] = [:]
        collect(message, label: "", into: &labels)
        for leaf in vector.leaves {
            let camel = leaf[0].split(separator: "_").enumerated()
                .map { $0.offset == 0 ? String($0.element) : $0.element.capitalized }.joined()
            let allowed = (Self.aliases[leaf[0]] ?? []).union([camel])
            #expect(!(labels[leaf[1]] ?? []).isDisjoint(with: allowed), "\(leaf[0]) in \(labels[leaf[1]] ?? [])")
        }
    }

    private func collect(_ value: Any, label: String, into labels: inout [String: Set<String>]) {
        func note(_ text: String) { labels[text, default: []].insert(label) }
        switch value {
        case let buffer as ByteBuffer: note(buffer.readableBytesView.map { hexByte($0) }.joined())
        case let error as ErrorCode: note("\(error.rawValue)")
        case let id as TopicID: note(uuidText(id))
        case let text as String: note(text)
        case let number as any FixedWidthInteger: note("\(number)")
        default:
            for child in Mirror(reflecting: value).children {
                let isElement = child.label == nil || child.label == "some"
                collect(child.value, label: isElement ? label : child.label ?? label, into: &labels)
            }
        }
    }

    private func uuidText(_ id: TopicID) -> String {
        let digits = [id.high, id.low].flatMap { number in
            (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
        }
        let hex = digits.map(hexByte).joined()
        let parts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { range in
            String(hex.dropFirst(range.lowerBound).prefix(range.count))
        }
        return parts.joined(separator: "-")
    }
}

func hexByte(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

func hexBytes(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var digits = text.utf8.makeIterator()
    while let high = digits.next(), let low = digits.next() {
        bytes.append(UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16) ?? 0)
    }
    return bytes
}
