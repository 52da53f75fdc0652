/// Reads big-endian numbers from a part of an array; every read says nil instead of going beyond the end.
struct ByteReader {
    private let bytes: [UInt8]
    private(set) var offset: Int
    let end: Int

    /// `range` must lie within `bytes`; it is clamped otherwise.
    init(_ bytes: [UInt8], range: Range<Int>) {
        self.bytes = bytes
        self.offset = min(max(range.lowerBound, 0), bytes.count)
        self.end = min(max(range.upperBound, self.offset), bytes.count)
    }

    init(_ bytes: [UInt8]) { self.init(bytes, range: 0..<bytes.count) }

    var remaining: Int { end - offset }

    mutating func uint8() -> UInt8? {
        guard offset < end else { return nil }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func uint16() -> UInt16? { integer(UInt16.self) }
    mutating func uint32() -> UInt32? { integer(UInt32.self) }
    mutating func uint64() -> UInt64? { integer(UInt64.self) }

    private mutating func integer<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
        let size = MemoryLayout<Number>.size
        guard remaining >= size else { return nil }
        var value: Number = 0
        for index in offset..<(offset + size) { value = value << 8 | Number(bytes[index]) }
        offset += size
        return value
    }

    /// The next `count` bytes.
    mutating func slice(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, remaining >= count else { return nil }
        defer { offset += count }
        return bytes[offset..<(offset + count)]
    }

    /// A reader over the next `count` bytes, which this reader then has behind it.
    mutating func nested(_ count: Int) -> ByteReader? {
        guard count >= 0, remaining >= count else { return nil }
        defer { offset += count }
        return ByteReader(bytes, range: offset..<(offset + count))
    }

    /// A short string: one byte of length, then UTF-8. Broken UTF-8 is repaired, for it can only be shown.
    mutating func shortString() -> String? {
        guard let length = uint8(), let content = slice(Int(length)) else { return nil }
        return String(decoding: content, as: UTF8.self)
    }

    func withUnsafeRemainingBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[offset..<end])) }
    }
}

/// Appends big-endian numbers to an array.
extension [UInt8] {
    mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// One byte of length, then the text. False (and nothing appended) when the text is longer than 255 bytes.
    mutating func appendShortString(_ text: String) -> Bool {
        var copy = text
        return copy.withUTF8 { utf8 in
            guard utf8.count <= 255 else { return false }
            append(UInt8(utf8.count))
            append(contentsOf: utf8)
            return true
        }
    }

    /// Overwrites four bytes at `offset` by a length.
    mutating func patchLength(_ length: Int, at offset: Int) {
        let value = UInt32(truncatingIfNeeded: length)
        self[offset] = UInt8(truncatingIfNeeded: value >> 24)
        self[offset + 1] = UInt8(truncatingIfNeeded: value >> 16)
        self[offset + 2] = UInt8(truncatingIfNeeded: value >> 8)
        self[offset + 3] = UInt8(truncatingIfNeeded: value)
    }
}
