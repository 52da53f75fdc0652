/// The `Decoder` over one value; it lives as long as that value is being decoded.
///
/// Isolation: created, used and dropped on one thread; never shared.
final class JSONNode: Decoder {
    let value: JSONValue
    let unknownFields: StrictJSON.UnknownFields
    private let parent: JSONNode?
    private let step: JSONPathStep?

    /// Which members were asked for; empty unless unknown fields are rejected and this is an object.
    private var consumed: [Bool] = []
    /// Nodes behind nested containers: they have no `init(from:)` of their own whose end could be checked.
    private var nested: [JSONNode] = []

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    var codingPath: [any CodingKey] {
        guard let step else { return parent?.codingPath ?? [] }
        return (parent?.codingPath ?? []) + [JSONStepKey(step)]
    }

    init(value: JSONValue, parent: JSONNode?, step: JSONPathStep?, unknownFields: StrictJSON.UnknownFields) {
        self.value = value
        self.parent = parent
        self.step = step
        self.unknownFields = unknownFields
        if unknownFields == .reject, case .object(let object) = value {
            consumed = [Bool](repeating: false, count: object.count)
        }
    }

    /// Decodes a whole value. Throws nothing but `JSONFault`.
    static func decode<T: Decodable>(
        _ type: T.Type,
        value: JSONValue,
        parent: JSONNode?,
        step: JSONPathStep?,
        unknownFields: StrictJSON.UnknownFields
    ) throws -> T {
        if type == JSONValue.self, let whole = value as? T { return whole }
        let node = JSONNode(value: value, parent: parent, step: step, unknownFields: unknownFields)
        defer { node.dropNested() }
        do {
            let result = try T(from: node)
            try node.checkConsumed()
            return result
        } catch let fault as JSONFault {
            throw fault
        } catch let error as DecodingError {
            throw JSONErrorTranslation.fault(error, in: node)
        } catch {
            throw JSONErrorTranslation.fault(error, in: node)
        }
    }

    // MARK: Decoder

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw wrongType("an object") }
        return KeyedDecodingContainer(JSONKeyedDecoding<Key>(node: self, members: object.members))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw wrongType("an array") }
        return JSONUnkeyedDecoding(node: self, elements: elements)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        JSONSingleDecoding(node: self)
    }

    // MARK: Tracking

    func consume(_ index: Int) {
        if index < consumed.count { consumed[index] = true }
    }

    func consumeAll() {
        for index in consumed.indices { consumed[index] = true }
    }

    func addNested(value: JSONValue, step: JSONPathStep) -> JSONNode {
        let node = JSONNode(value: value, parent: self, step: step, unknownFields: unknownFields)
        if unknownFields == .reject { nested.append(node) }
        return node
    }

    private func checkConsumed() throws {
        if let index = consumed.firstIndex(of: false), case .object(let object) = value {
            throw fault(.unknownField, "The field is not known here.", .key(object.members[index].key))
        }
        for node in nested { try node.checkConsumed() }
    }

    /// Nested nodes and their parent hold each other: without this they would never be freed.
    private func dropNested() {
        for node in nested { node.dropNested() }
        nested = []
    }

    // MARK: Faults

    /// This node's path, followed by `step` when there is one.
    func path(_ step: JSONPathStep? = nil) -> String {
        var text = step?.text ?? ""
        var node: JSONNode? = self
        while let current = node {
            if let own = current.step { text = own.text + JSONPathStep.join(text) }
            node = current.parent
        }
        return text
    }

    func fault(_ code: JSONFault.Code, _ sentence: String, _ step: JSONPathStep? = nil) -> JSONFault {
        JSONFault(code, path: path(step), sentence: sentence)
    }

    private func wrongType(_ wanted: String) -> JSONFault {
        JSONScalar.mismatch(wanted, value, self, nil)
    }
}

/// A path step as a `CodingKey`.
struct JSONStepKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ step: JSONPathStep) {
        switch step {
        case .key(let key):
            stringValue = key
            intValue = nil
        case .index(let index):
            stringValue = String(index)
            intValue = index
        }
    }

    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init(intValue: Int) {
        stringValue = String(intValue)
        self.intValue = intValue
    }
}

/// Turns the errors of types' own `init(from:)` into faults.
enum JSONErrorTranslation {
    static func fault(_ error: any Error, in node: JSONNode) -> JSONFault {
        // The error's description comes from our own program, never from the text; JSONFault cuts it all the same.
        guard let described = error as? any CustomStringConvertible else {
            return node.fault(.invalidValue, "The value is not acceptable.")
        }
        return node.fault(.invalidValue, described.description)
    }

    static func fault(_ error: DecodingError, in node: JSONNode) -> JSONFault {
        switch error {
        case .keyNotFound(let key, let context):
            JSONFault(.missingField, path: path(context.codingPath + [key]), sentence: "The field is missing.")
        case .valueNotFound(_, let context):
            JSONFault(.unexpectedNull, path: path(context.codingPath), sentence: "The value must not be null.")
        case .typeMismatch(_, let context):
            JSONFault(.wrongType, path: path(context.codingPath), sentence: "The value has the wrong type.")
        case .dataCorrupted(let context):
            JSONFault(.invalidValue, path: path(context.codingPath), sentence: sentence(context.debugDescription))
        @unknown default:
            node.fault(.invalidValue, "The value is not acceptable.")
        }
    }

    /// The standard library's sentence about raw values repeats the value, which must not travel on.
    private static func sentence(_ debugDescription: String) -> String {
        if debugDescription.isEmpty || debugDescription.hasPrefix("Cannot initialize ") {
            return "The value is not one of the accepted ones."
        }
        return debugDescription
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        var text = ""
        for key in keys {
            let step: JSONPathStep = key.intValue.map { .index($0) } ?? .key(key.stringValue)
            text += text.isEmpty ? step.text : JSONPathStep.join(step.text)
        }
        return text
    }
}
