/// A message, or a part of one: a table of its fields, which serves reading and writing in all versions.
protocol WireStruct: WireValue {
    /// A value with the defaults that apply to fields an older version lacks.
    init()
    /// The fields in wire order.
    static var fields: Fields { get }
    /// The fields that are only there when they say something, each under a number (flexible versions only).
    static var taggedFields: [WireTag<Self>] { get }
}

extension WireStruct {
    typealias Fields = [WireField<Self>]

    static var taggedFields: [WireTag<Self>] { [] }

    static func take(from reader: inout WireReader) throws(WireError) -> Self {
        var value = Self()
        for field in fields where field.versions.contains(reader.version) { try field.take(&value, &reader) }
        try reader.tags { (tag, content) throws(WireError) in
            guard let field = taggedFields.first(where: { $0.tag == tag }) else { return }
            try field.take(&value, &content)
        }
        return value
    }

    func put(into writer: inout WireWriter) {
        for field in Self.fields where field.versions.contains(writer.version) { field.put(self, &writer) }
        let present = Self.taggedFields.filter { $0.isPresent(self) }
        writer.tags(present.map { field in (field.tag, { field.put(self, &$0) }) })
    }
}

/// One row of a message's table: a property, and the versions that have it.
struct WireField<Root: Sendable>: Sendable {
    let versions: ClosedRange<Int16>
    let take: @Sendable (inout Root, inout WireReader) throws(WireError) -> Void
    let put: @Sendable (Root, inout WireWriter) -> Void

    init<Value: WireValue>(
        _ path: any WritableKeyPath<Root, Value> & Sendable,
        since: Int16 = 0,
        until: Int16 = .max
    ) {
        versions = since...until
        take = { (root, reader) throws(WireError) in root[keyPath: path] = try Value.take(from: &reader) }
        put = { root, writer in root[keyPath: path].put(into: &writer) }
    }

    /// A property that only newer versions can leave out; before, null is an error and nil is written as empty.
    init<Value: WireNullable>(
        _ path: any WritableKeyPath<Root, Value?> & Sendable,
        nullableSince: Int16,
        since: Int16 = 0,
        until: Int16 = .max
    ) {
        versions = since...until
        take = { (root, reader) throws(WireError) in
            let value = try Value.takeNullable(from: &reader)
            if value == nil, reader.version < nullableSince { throw .negativeLength }
            root[keyPath: path] = value
        }
        put = { root, writer in
            let value = root[keyPath: path]
            (writer.version < nullableSince ? value ?? Value() : value).put(into: &writer)
        }
    }
}

/// A field of the tagged section: a struct that is written when it is there.
struct WireTag<Root: Sendable>: Sendable {
    let tag: UInt32
    let isPresent: @Sendable (Root) -> Bool
    let take: @Sendable (inout Root, inout WireReader) throws(WireError) -> Void
    let put: @Sendable (Root, inout WireWriter) -> Void

    init<Value: WireStruct>(_ tag: UInt32, _ path: any WritableKeyPath<Root, Value?> & Sendable) {
        self.tag = tag
        isPresent = { $0[keyPath: path] != nil }
        take = { (root, reader) throws(WireError) in root[keyPath: path] = try Value.take(from: &reader) }
        put = { root, writer in root[keyPath: path]?.put(into: &writer) }
    }
}

/// What is said of one topic's partitions: the shape of most requests and answers.
///
/// Reads and writes its fields itself: a generic type cannot keep a table of them, and making it anew for each topic of each
/// request took a seventh of the server's time.
struct ByTopic<Entry: WireValue>: WireValue {
    var name = ""
    var partitions: [Entry] = []

    static func take(from reader: inout WireReader) throws(WireError) -> ByTopic {
        let value = ByTopic(name: try .take(from: &reader), partitions: try .take(from: &reader))
        try reader.tags { (_, _) throws(WireError) in }
        return value
    }

    func put(into writer: inout WireWriter) {
        name.put(into: &writer)
        partitions.put(into: &writer)
        writer.tags()
    }

    /// The answer of the same shape.
    func map<Answer>(_ answer: (Entry) -> Answer) -> ByTopic<Answer> {
        ByTopic<Answer>(name: name, partitions: partitions.map(answer))
    }
}
