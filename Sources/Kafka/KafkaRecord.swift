/// One header of a record: a name and bytes.
///
/// Names may repeat and keep their order. The protocol also knows null values; they are read as empty ones. A name must not hold
/// a zero byte (the C library ends names there).
public struct KafkaHeader: Sendable, Hashable {
    /// Name, UTF-8 on the wire.
    public var name: String
    /// Value, any bytes.
    public var value: [UInt8]

    /// Makes a header.
    public init(_ name: String, _ value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// A record to be published.
public struct KafkaRecord: Sendable, Hashable {
    /// Name of the topic: 1 to 249 characters out of `a-z A-Z 0-9 . _ -` (the broker decides; a refused name is a result, not a trap).
    public var topic: String
    /// Partition, or nil to let the partitioner choose by `key` (a null key is spread at random).
    public var partition: Int32?
    /// Key; records with the same key and topic go to the same partition, in order. nil is the protocol's null, `[]` is an empty key.
    public var key: [UInt8]?
    /// Value; nil is the protocol's null (a tombstone in compacted topics), `[]` is an empty value.
    public var value: [UInt8]?
    /// Headers in order.
    public var headers: [KafkaHeader]
    /// Milliseconds since 1970, UTC; nil means the time of sending. Values below 1 are treated as nil.
    public var timestampMilliseconds: Int64?

    /// Makes a record.
    public init(
        topic: String,
        partition: Int32? = nil,
        key: [UInt8]? = nil,
        value: [UInt8]?,
        headers: [KafkaHeader] = [],
        timestampMilliseconds: Int64? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestampMilliseconds = timestampMilliseconds
    }

    /// Bytes that the record takes of the producer's window: contents plus a flat 64 for the framing.
    var windowBytes: Int {
        var bytes = 64 + (key?.count ?? 0) + (value?.count ?? 0)
        for header in headers {
            bytes += header.name.utf8.count + header.value.count
        }
        return bytes
    }
}
