/// The content header of class `basic` (AMQP 0-9-1, sections 2.3.5.2 and 4.2.6.1): body size and properties.
enum PropertyCodec {
    /// A decoded content header.
    struct Header {
        var bodySize: UInt64
        var properties: RabbitMQProperties
        /// The properties could not be read to their end; those before the fault are there.
        var isMalformed: Bool
    }

    static let basicClass: UInt16 = 60

    private enum Flag {
        static let contentType: UInt16 = 1 << 15
        static let contentEncoding: UInt16 = 1 << 14
        static let headers: UInt16 = 1 << 13
        static let deliveryMode: UInt16 = 1 << 12
        static let priority: UInt16 = 1 << 11
        static let correlationID: UInt16 = 1 << 10
        static let replyTo: UInt16 = 1 << 9
        static let expiration: UInt16 = 1 << 8
        static let messageID: UInt16 = 1 << 7
        static let timestamp: UInt16 = 1 << 6
        static let type: UInt16 = 1 << 5
        static let userID: UInt16 = 1 << 4
        static let appID: UInt16 = 1 << 3
        static let clusterID: UInt16 = 1 << 2
    }

    /// Reads the payload of a header frame; nil when even the body size cannot be trusted, which the owner answers by closing
    /// the connection. Broken properties are only marked: they are one sender's fault.
    static func decode(_ source: ByteReader) -> Header? {
        var reader = source
        guard let classID = reader.uint16(), classID == basicClass, reader.uint16() != nil,
            let bodySize = reader.uint64(), let flags = reader.uint16()
        else { return nil }
        var properties = RabbitMQProperties(deliveryMode: .transient)
        let isComplete = read(&reader, flags: flags, into: &properties)
        return Header(bodySize: bodySize, properties: properties, isMalformed: !isComplete)
    }

    private static func read(
        _ reader: inout ByteReader,
        flags: UInt16,
        into properties: inout RabbitMQProperties
    ) -> Bool {
        // Bit 0 announces a second word of flags, which class basic does not have.
        guard flags & 1 == 0 else { return false }
        func text(_ flag: UInt16, _ store: (String) -> Void) -> Bool {
            guard flags & flag != 0 else { return true }
            guard let value = reader.shortString() else { return false }
            store(value)
            return true
        }
        guard text(Flag.contentType, { properties.contentType = $0 }),
            text(Flag.contentEncoding, { properties.contentEncoding = $0 })
        else { return false }
        if flags & Flag.headers != 0 {
            // The length is known even when the table is not readable, so what follows is still found.
            var lengthReader = reader
            guard let length = lengthReader.uint32(), var table = reader.nested(Int(length) + 4) else { return false }
            guard let headers = FieldTableCodec.decode(&table) else {
                _ = readAfterHeaders(&reader, flags: flags, into: &properties)
                return false
            }
            properties.headers = headers
        }
        return readAfterHeaders(&reader, flags: flags, into: &properties)
    }

    private static func readAfterHeaders(
        _ reader: inout ByteReader,
        flags: UInt16,
        into properties: inout RabbitMQProperties
    ) -> Bool {
        func text(_ flag: UInt16, _ store: (String) -> Void) -> Bool {
            guard flags & flag != 0 else { return true }
            guard let value = reader.shortString() else { return false }
            store(value)
            return true
        }
        if flags & Flag.deliveryMode != 0 {
            guard let mode = reader.uint8() else { return false }
            properties.deliveryMode = mode == 2 ? .persistent : .transient
        }
        if flags & Flag.priority != 0 {
            guard let priority = reader.uint8() else { return false }
            properties.priority = priority
        }
        guard text(Flag.correlationID, { properties.correlationID = $0 }),
            text(Flag.replyTo, { properties.replyTo = $0 }),
            text(Flag.expiration, { properties.expiration = $0 }), text(Flag.messageID, { properties.messageID = $0 })
        else { return false }
        if flags & Flag.timestamp != 0 {
            guard let timestamp = reader.uint64() else { return false }
            properties.timestamp = timestamp
        }
        return text(Flag.type, { properties.type = $0 }) && text(Flag.userID, { properties.userID = $0 })
            && text(Flag.appID, { properties.appID = $0 }) && text(Flag.clusterID, { _ in })
    }

    /// Appends the payload of a header frame. False when a text is longer than 255 bytes or the headers cannot be written.
    static func encode(_ properties: RabbitMQProperties, bodySize: Int, into bytes: inout [UInt8]) -> Bool {
        bytes.appendBigEndian(basicClass)
        bytes.appendBigEndian(UInt16(0))
        bytes.appendBigEndian(UInt64(bodySize))
        let flagsOffset = bytes.count
        bytes.appendBigEndian(UInt16(0))
        var flags: UInt16 = 0
        func text(_ value: String?, _ flag: UInt16) -> Bool {
            guard let value else { return true }
            flags |= flag
            return bytes.appendShortString(value)
        }
        guard text(properties.contentType, Flag.contentType), text(properties.contentEncoding, Flag.contentEncoding)
        else { return false }
        if !properties.headers.isEmpty {
            flags |= Flag.headers
            guard FieldTableCodec.encode(properties.headers, into: &bytes) else { return false }
        }
        flags |= Flag.deliveryMode
        bytes.append(properties.deliveryMode.rawValue)
        if let priority = properties.priority {
            flags |= Flag.priority
            bytes.append(priority)
        }
        guard text(properties.correlationID, Flag.correlationID), text(properties.replyTo, Flag.replyTo),
            text(properties.expiration, Flag.expiration), text(properties.messageID, Flag.messageID)
        else { return false }
        if let timestamp = properties.timestamp {
            flags |= Flag.timestamp
            bytes.appendBigEndian(timestamp)
        }
        guard text(properties.type, Flag.type), text(properties.userID, Flag.userID), text(properties.appID, Flag.appID)
        else { return false }
        bytes[flagsOffset] = UInt8(truncatingIfNeeded: flags >> 8)
        bytes[flagsOffset + 1] = UInt8(truncatingIfNeeded: flags)
        return true
    }
}
