/// Appends values to a byte buffer.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private let sortedKeys: Bool

    private static let hexDigits = Array("0123456789abcdef".utf8)

    init(sortedKeys: Bool) {
        self.sortedKeys = sortedKeys
        bytes.reserveCapacity(256)
    }

    // MARK: Values

    mutating func write(_ value: JSONValue) {
        switch value {
        case .null: write(word: "null")
        case .bool(let flag): write(word: flag ? "true" : "false")
        case .integer(let number): write(number)
        case .string(let text): write(text)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            var first = true
            for element in elements {
                if !first { bytes.append(UInt8(ascii: ",")) }
                first = false
                write(element)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            var first = true
            for member in sorted(object.members, by: { $0.key }) {
                if !first { bytes.append(UInt8(ascii: ",")) }
                first = false
                write(member.key)
                bytes.append(UInt8(ascii: ":"))
                write(member.value)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// Writes what an encoder produced. A value that wrote nothing (a type without fields) is an empty object.
    mutating func write(_ slot: JSONSlot) throws(JSONFault) {
        switch slot {
        case .empty: write(word: "{}")
        case .value(let value): write(value)
        case .array(let box):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in box.elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                do throws(JSONFault) {
                    try write(element.slot)
                } catch {
                    throw error.inside(.index(index))
                }
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let box):
            bytes.append(UInt8(ascii: "{"))
            var previous: String?
            for member in sorted(box.members, by: { $0.key }) {
                if let previous {
                    guard previous != member.key else {
                        throw JSONFault(.duplicateKey, sentence: "The field is written twice.").inside(.key(member.key))
                    }
                    bytes.append(UInt8(ascii: ","))
                }
                previous = member.key
                write(member.key)
                bytes.append(UInt8(ascii: ":"))
                do throws(JSONFault) {
                    try write(member.node.slot)
                } catch {
                    throw error.inside(.key(member.key))
                }
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private func sorted<Element>(_ members: [Element], by key: (Element) -> String) -> [Element] {
        guard sortedKeys, members.count > 1 else { return members }
        return members.sorted { Self.precedes(key($0), key($1)) }
    }

    /// Order by UTF-8 bytes: the same on every platform and in every version of Unicode.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    // MARK: Scalars

    private mutating func write(word: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    private mutating func write(_ number: Int64) {
        bytes.append(contentsOf: String(number).utf8)
    }

    private mutating func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        let start = bytes.count
        let plain = text.withUTF8 { buffer in
            bytes.append(contentsOf: buffer)
            return buffer.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        }
        if !plain {
            bytes.removeSubrange(start...)
            for byte in text.utf8 { writeEscaped(byte) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func writeEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        case 0x08: write(word: "\\b")
        case 0x09: write(word: "\\t")
        case 0x0A: write(word: "\\n")
        case 0x0C: write(word: "\\f")
        case 0x0D: write(word: "\\r")
        case 0x00..<0x20:
            write(word: "\\u00")
            bytes.append(Self.hexDigits[Int(byte >> 4)])
            bytes.append(Self.hexDigits[Int(byte & 0xF)])
        default: bytes.append(byte)
        }
    }
}
