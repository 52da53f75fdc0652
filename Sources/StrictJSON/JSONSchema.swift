/// A JSON Schema (2020-12), as much of the language as describes messages.
///
/// Understood are `type`, `const`, `enum`, `properties`, `required`, `items`, `minItems`, `maxItems`, `minimum`, `maximum`, `minLength`,
/// `maxLength` and `pattern`; `$schema`, `$id`, `title`, `description` and `format` say something to people only. A schema with any other
/// keyword is not made, so that nothing is promised which ``faults(of:)`` does not check.
public struct JSONSchema: Sendable, Hashable {
    /// The schema as it is published.
    public let document: JSONValue

    /// Why something does not fit, or is no schema.
    public struct Fault: Error, Sendable, Hashable {
        /// Where, as people write it: `data.lines[0].quantity`; empty for the whole value.
        public let path: String
        /// One sentence.
        public let sentence: String

        /// Makes a fault.
        public init(path: String, sentence: String) {
            self.path = path
            self.sentence = sentence
        }
    }

    /// Makes a schema.
    /// - Throws: the first place at which the document is none, or more than is understood.
    public init(_ document: JSONValue) throws(Fault) {
        try Self.check(document, at: "")
        self.document = document
    }

    /// Everything about a value that does not fit; empty when it does.
    public func faults(of value: JSONValue) -> [Fault] {
        var faults: [Fault] = []
        Self.hold(value, against: document, at: "", &faults)
        return faults
    }

    // MARK: The schema itself

    private static let remarks: Set<String> = ["$schema", "$id", "title", "description", "format"]
    private static let types: Set<String> = ["object", "array", "string", "integer", "boolean", "null"]

    private static func check(_ schema: JSONValue, at path: String) throws(Fault) {
        guard case .object(let object) = schema else { throw Fault(path: path, sentence: "A schema is an object.") }
        for member in object.members where !remarks.contains(member.key) {
            let value = member.value
            let isSound: Bool
            switch member.key {
            case "type": isSound = names(value).map { !$0.isEmpty && types.isSuperset(of: $0) } ?? false
            case "const": isSound = true
            case "enum": isSound = value.arrayValue?.isEmpty == false
            case "required": isSound = value.arrayValue.map { $0.allSatisfy { $0.stringValue != nil } } ?? false
            case "minItems", "maxItems", "minLength", "maxLength": isSound = value.integerValue.map { $0 >= 0 } ?? false
            case "minimum", "maximum": isSound = value.integerValue != nil
            case "pattern": isSound = value.stringValue.map { (try? Regex($0)) != nil } ?? false
            case "items":
                try check(value, at: path + "[]")
                isSound = true
            case "properties":
                for property in value.objectValue?.members ?? [] {
                    try check(property.value, at: Self.path(path, property.key))
                }
                isSound = value.objectValue != nil
            default: throw Fault(path: path, sentence: "The keyword \(member.key) is not understood.")
            }
            guard isSound else { throw Fault(path: path, sentence: "\(member.key) cannot have this value.") }
        }
    }

    /// One name or several.
    private static func names(_ value: JSONValue) -> [String]? {
        if let name = value.stringValue { return [name] }
        guard let list = value.arrayValue else { return nil }
        let names = list.compactMap(\.stringValue)
        return names.count == list.count ? names : nil
    }

    private static func path(_ path: String, _ key: String) -> String { path.isEmpty ? key : path + "." + key }

    // MARK: A value against it

    private static func hold(_ value: JSONValue, against schema: JSONValue, at path: String, _ faults: inout [Fault]) {
        func require(_ holds: Bool, _ sentence: @autoclosure () -> String) {
            if !holds { faults.append(Fault(path: path, sentence: sentence())) }
        }
        if let types = schema["type"].flatMap(names) {
            guard types.contains(type(of: value)) else {
                return require(false, "It has to be \(types.joined(separator: " or ")), not \(type(of: value)).")
            }
        }
        if let only = schema["const"] { require(value == only, "It has to be \(text(only)).") }
        if let choices = schema["enum"]?.arrayValue {
            require(choices.contains(value), "It has to be one of \(choices.map(text).joined(separator: ", ")).")
        }
        switch value {
        case .integer(let number):
            if let least = schema["minimum"]?.integerValue {
                require(number >= least, "It has to be at least \(least).")
            }
            if let most = schema["maximum"]?.integerValue { require(number <= most, "It has to be at most \(most).") }
        case .string(let text):
            let length = text.unicodeScalars.count
            if let least = schema["minLength"]?.integerValue { require(length >= least, "It is too short.") }
            if let most = schema["maxLength"]?.integerValue { require(length <= most, "It is too long.") }
            if let pattern = schema["pattern"]?.stringValue, let expression = try? Regex(pattern) {
                require(text.contains(expression), "It has to fit \(pattern).")
            }
        case .array(let elements):
            if let least = schema["minItems"]?.integerValue {
                require(elements.count >= least, "It has too few elements.")
            }
            if let most = schema["maxItems"]?.integerValue {
                require(elements.count <= most, "It has too many elements.")
            }
            guard let items = schema["items"] else { return }
            for (index, element) in elements.enumerated() {
                hold(element, against: items, at: "\(path)[\(index)]", &faults)
            }
        case .object(let object):
            for name in schema["required"]?.arrayValue ?? [] {
                guard let name = name.stringValue, object[name] == nil else { continue }
                faults.append(Fault(path: Self.path(path, name), sentence: "It is missing."))
            }
            for property in schema["properties"]?.objectValue?.members ?? [] {
                guard let member = object[property.key] else { continue }
                hold(member, against: property.value, at: Self.path(path, property.key), &faults)
            }
        case .null, .bool: break
        }
    }

    private static func type(of value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "boolean"
        case .integer: "integer"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    private static func text(_ value: JSONValue) -> String { String(decoding: StrictJSON.encode(value), as: UTF8.self) }
}
