public import StrictJSON

/// Changes single places of a document that a person names.
public enum EventOverrides {
    /// The document with a place set: `total.minorUnits`, `lines.0.quantity`. A member that is missing is added.
    ///
    /// - Returns: `nil` when there is no such place: an element beyond the end, or something below a value that has no members.
    public static func setting(_ path: String, to value: JSONValue, in document: JSONValue) -> JSONValue? {
        setting(path.split(separator: ".", omittingEmptySubsequences: false)[...], to: value, in: document)
    }

    private static func setting(
        _ path: ArraySlice<Substring>,
        to value: JSONValue,
        in document: JSONValue
    ) -> JSONValue? {
        guard let step = path.first else { return value }
        let rest = path.dropFirst()
        switch document {
        case .object(var object):
            guard !step.isEmpty, let member = object[String(step)] ?? (rest.isEmpty ? .null : nil),
                let changed = setting(rest, to: value, in: member)
            else { return nil }
            object[String(step)] = changed
            return .object(object)
        case .array(var elements):
            guard let index = Int(step), elements.indices.contains(index),
                let changed = setting(rest, to: value, in: elements[index])
            else { return nil }
            elements[index] = changed
            return .array(elements)
        case .null, .bool, .integer, .string: return nil
        }
    }
}
