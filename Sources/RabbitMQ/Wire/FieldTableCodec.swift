/// AMQP tables to bytes and back, with RabbitMQ's type letters (https://www.rabbitmq.com/amqp-0-9-1-errata.html, section 3).
///
/// Written by hand rather than with rabbitmq-c's decoder, for that one recurses as deep as the sender likes: headers come from
/// whoever may publish.
enum FieldTableCodec {
    /// Tables and lists may be nested this deep; more is malformed.
    static let maximumDepth = 16
    /// All values of one table together; more is malformed. A frame of 128 KiB could hold about 60,000 empty ones.
    static let maximumValues = 8_192

    /// Reads a table with its length in front; nil when it is malformed.
    static func decode(_ reader: inout ByteReader) -> RabbitMQTable? {
        var budget = maximumValues
        return table(&reader, depth: 0, budget: &budget)
    }

    private static func table(_ reader: inout ByteReader, depth: Int, budget: inout Int) -> RabbitMQTable? {
        guard depth < maximumDepth, let length = reader.uint32(), var content = reader.nested(Int(length)) else {
            return nil
        }
        var result: RabbitMQTable = [:]
        while content.remaining > 0 {
            guard let key = content.shortString(), let value = value(&content, depth: depth + 1, budget: &budget) else {
                return nil
            }
            result[key] = value
        }
        return result
    }

    private static func value(_ reader: inout ByteReader, depth: Int, budget: inout Int) -> RabbitMQFieldValue? {
        budget -= 1
        guard budget >= 0, let kind = reader.uint8() else { return nil }
        switch kind {
        case UInt8(ascii: "t"): return reader.uint8().map { .bool($0 != 0) }
        case UInt8(ascii: "b"): return reader.uint8().map { .int8(Int8(bitPattern: $0)) }
        case UInt8(ascii: "B"): return reader.uint8().map { .uint8($0) }
        case UInt8(ascii: "s"): return reader.uint16().map { .int16(Int16(bitPattern: $0)) }
        case UInt8(ascii: "u"): return reader.uint16().map { .uint16($0) }
        case UInt8(ascii: "I"): return reader.uint32().map { .int32(Int32(bitPattern: $0)) }
        case UInt8(ascii: "i"): return reader.uint32().map { .uint32($0) }
        case UInt8(ascii: "l"), UInt8(ascii: "L"): return reader.uint64().map { .int64(Int64(bitPattern: $0)) }
        case UInt8(ascii: "f"): return reader.uint32().map { .float(Float(bitPattern: $0)) }
        case UInt8(ascii: "d"): return reader.uint64().map { .double(Double(bitPattern: $0)) }
        case UInt8(ascii: "T"): return reader.uint64().map { .timestamp($0) }
        case UInt8(ascii: "V"): return .null
        case UInt8(ascii: "D"):
            guard let scale = reader.uint8(), let value = reader.uint32() else { return nil }
            return .decimal(scale: scale, value: value)
        case UInt8(ascii: "S"), UInt8(ascii: "x"):
            guard let length = reader.uint32(), let content = reader.slice(Int(length)) else { return nil }
            if kind == UInt8(ascii: "S"), let text = String(validating: content, as: UTF8.self) { return .string(text) }
            return .bytes(Array(content))
        case UInt8(ascii: "F"): return table(&reader, depth: depth, budget: &budget).map { .table($0) }
        case UInt8(ascii: "A"): return array(&reader, depth: depth, budget: &budget).map { .array($0) }
        default: return nil
        }
    }

    private static func array(_ reader: inout ByteReader, depth: Int, budget: inout Int) -> [RabbitMQFieldValue]? {
        guard depth < maximumDepth, let length = reader.uint32(), var content = reader.nested(Int(length)) else {
            return nil
        }
        var result: [RabbitMQFieldValue] = []
        while content.remaining > 0 {
            guard let value = value(&content, depth: depth + 1, budget: &budget) else { return nil }
            result.append(value)
        }
        return result
    }

    /// Appends a table with its length in front. Keys are written in order, so that equal tables give equal bytes.
    /// False when a key is longer than 255 bytes or the nesting is deeper than ``maximumDepth``.
    static func encode(_ table: RabbitMQTable, into bytes: inout [UInt8], depth: Int = 0) -> Bool {
        guard depth < maximumDepth else { return false }
        let start = bytes.count
        bytes.appendBigEndian(UInt32(0))
        for (key, value) in table.sorted(by: { $0.key < $1.key }) {
            guard bytes.appendShortString(key), encode(value, into: &bytes, depth: depth + 1) else { return false }
        }
        bytes.patchLength(bytes.count - start - 4, at: start)
        return true
    }

    private static func encode(_ value: RabbitMQFieldValue, into bytes: inout [UInt8], depth: Int) -> Bool {
        switch value {
        case .bool(let flag): bytes += [UInt8(ascii: "t"), flag ? 1 : 0]
        case .int8(let number): bytes += [UInt8(ascii: "b"), UInt8(bitPattern: number)]
        case .uint8(let number): bytes += [UInt8(ascii: "B"), number]
        case .int16(let number): append("s", number, to: &bytes)
        case .uint16(let number): append("u", number, to: &bytes)
        case .int32(let number): append("I", number, to: &bytes)
        case .uint32(let number): append("i", number, to: &bytes)
        case .int64(let number): append("l", number, to: &bytes)
        case .float(let number): append("f", number.bitPattern, to: &bytes)
        case .double(let number): append("d", number.bitPattern, to: &bytes)
        case .timestamp(let seconds): append("T", seconds, to: &bytes)
        case .null: bytes.append(UInt8(ascii: "V"))
        case .decimal(let scale, let number):
            bytes += [UInt8(ascii: "D"), scale]
            bytes.appendBigEndian(number)
        case .string(let text):
            append("S", UInt32(truncatingIfNeeded: text.utf8.count), to: &bytes)
            bytes.append(contentsOf: text.utf8)
        case .bytes(let content):
            append("x", UInt32(truncatingIfNeeded: content.count), to: &bytes)
            bytes += content
        case .table(let table):
            bytes.append(UInt8(ascii: "F"))
            return encode(table, into: &bytes, depth: depth)
        case .array(let values):
            guard depth < maximumDepth else { return false }
            bytes.append(UInt8(ascii: "A"))
            let start = bytes.count
            bytes.appendBigEndian(UInt32(0))
            for value in values {
                guard encode(value, into: &bytes, depth: depth + 1) else { return false }
            }
            bytes.patchLength(bytes.count - start - 4, at: start)
        }
        return true
    }

    private static func append(_ kind: Unicode.Scalar, _ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: kind))
        bytes.appendBigEndian(number)
    }
}
