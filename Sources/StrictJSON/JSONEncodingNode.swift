/// What an encoding step has produced so far.
enum JSONSlot {
    case empty
    case value(JSONValue)
    case object(JSONObjectBox)
    case array(JSONArrayBox)
}

/// An object under construction; shared by the containers that write into it.
final class JSONObjectBox {
    var members: [(key: String, node: JSONSlotBox)] = []
}

/// An array under construction; shared by the containers that write into it.
final class JSONArrayBox {
    var elements: [JSONSlotBox] = []
}

/// One member or element: finished, or a node that a nested container still writes into.
enum JSONSlotBox {
    case done(JSONSlot)
    case node(JSONEncodingNode)

    var slot: JSONSlot {
        switch self {
        case .done(let slot): slot
        case .node(let node): node.slot
        }
    }
}

/// One call of `encode`: remembers the nodes of nested containers, which hold their parent and are held by it.
final class JSONEncodingSession {
    private var nested: [JSONEncodingNode] = []

    func remember(_ node: JSONEncodingNode) { nested.append(node) }

    /// Cuts the cycles, so that everything can be freed.
    func finish() {
        for node in nested { node.dropParent() }
        nested = []
    }
}

/// The `Encoder` of one value.
///
/// Isolation: created, used and dropped on one thread; never shared.
final class JSONEncodingNode: Encoder {
    private(set) var slot = JSONSlot.empty
    private let session: JSONEncodingSession
    private var parent: JSONEncodingNode?
    private let step: JSONPathStep?

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    var codingPath: [any CodingKey] {
        guard let step else { return parent?.codingPath ?? [] }
        return (parent?.codingPath ?? []) + [JSONStepKey(step)]
    }

    init(session: JSONEncodingSession, parent: JSONEncodingNode? = nil, step: JSONPathStep? = nil) {
        self.session = session
        self.parent = parent
        self.step = step
    }

    /// Encodes `value` here, also when it is a `JSONValue`.
    func encodeWhole<T: Encodable>(_ value: T) throws {
        if T.self == JSONValue.self, let whole = value as? JSONValue {
            slot = .value(whole)
        } else {
            try value.encode(to: self)
        }
    }

    /// Encodes a member or element of this node's value.
    func child<T: Encodable>(_ value: T, _ step: JSONPathStep) throws -> JSONSlotBox {
        let child = JSONEncodingNode(session: session, parent: self, step: step)
        try child.encodeWhole(value)
        return .done(child.slot)
    }

    /// A node for a nested container, which may be written to until the end.
    func nested(_ step: JSONPathStep) -> JSONEncodingNode {
        let child = JSONEncodingNode(session: session, parent: self, step: step)
        session.remember(child)
        return child
    }

    func dropParent() { parent = nil }

    /// The object that this node's value is; made on first use.
    func objectBox() -> JSONObjectBox {
        if case .object(let box) = slot { return box }
        let box = JSONObjectBox()
        slot = .object(box)
        return box
    }

    /// The array that this node's value is; made on first use.
    func arrayBox() -> JSONArrayBox {
        if case .array(let box) = slot { return box }
        let box = JSONArrayBox()
        slot = .array(box)
        return box
    }

    func put(_ value: JSONValue) { slot = .value(value) }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(JSONKeyedEncoding<Key>(node: self, box: objectBox()))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { JSONUnkeyedEncoding(node: self, box: arrayBox()) }

    func singleValueContainer() -> any SingleValueEncodingContainer { JSONSingleEncoding(node: self) }

    func integer<T: FixedWidthInteger>(_ value: T, _ step: JSONPathStep?) throws -> JSONValue {
        guard let number = Int64(exactly: value) else {
            throw fault(.integerOutOfRange, "The number does not fit 64 bits.", step)
        }
        return .integer(number)
    }

    func fraction(_ step: JSONPathStep?) -> JSONFault {
        fault(.unsupportedType, "Numbers with fractions are not supported.", step)
    }

    private func fault(_ code: JSONFault.Code, _ sentence: String, _ step: JSONPathStep?) -> JSONFault {
        var text = step?.text ?? ""
        var node: JSONEncodingNode? = self
        while let current = node {
            if let own = current.step { text = own.text + JSONPathStep.join(text) }
            node = current.parent
        }
        return JSONFault(code, path: text, sentence: sentence)
    }
}
