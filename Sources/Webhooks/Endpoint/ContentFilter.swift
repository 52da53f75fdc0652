public import StrictJSON

/// Which events an endpoint wants by what is in them: a pattern in JSON that is held against the event's document.
///
/// ```json
/// {"data": {"total": {"minorUnits": {"$gte": 10000}}, "status": {"$in": ["completed", "cancelled"]}}}
/// ```
///
/// - A member descends; all members have to fit. A plain value has to be equal.
/// - Operators: `$eq` `$neq` `$gt` `$gte` `$lt` `$lte` `$in` `$nin` `$startsWith` `$endsWith` `$exist`, and `$and` `$or` (lists of
///   patterns) and `$not` (a pattern). Several in one object have to fit together.
/// - Whole numbers are compared with whole numbers, texts with texts by their code points; anything else does not fit.
/// - Where the event holds a list, one element that fits is enough.
/// - What is missing fits nothing but `$exist: false` and negations.
public struct ContentFilter: Sendable, Hashable {
    /// The pattern, its keys in order.
    public let document: JSONValue
    private let rule: Rule

    /// The most members and operators of one pattern.
    public static let maximumRules = 200
    /// The longest pattern, in bytes.
    public static let maximumBytes = 8192

    private indirect enum Rule: Sendable, Hashable {
        case all([Rule])
        case any([Rule])
        case not(Rule)
        case member(String, Rule)
        case equal(JSONValue)
        case oneOf([JSONValue])
        case compared(Comparison, JSONValue)
        case begins(String)
        case ends(String)
        case exists(Bool)

        var isMember: Bool {
            guard case .member = self else { return false }
            return true
        }
    }

    private enum Comparison: String {
        case above = "$gt"
        case atLeast = "$gte"
        case below = "$lt"
        case atMost = "$lte"
    }

    /// Why a document is no pattern.
    public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
        /// One sentence.
        public let description: String
    }

    /// Reads a pattern.
    /// - Throws: ``Fault`` with a sentence.
    public init(_ document: JSONValue) throws(Fault) {
        guard case .object = document else { throw Fault(description: "A filter is a JSON object.") }
        // With its keys in order: equal patterns are equal values.
        let bytes = StrictJSON.encode(document)
        guard bytes.count <= Self.maximumBytes, let ordered = try? StrictJSON.parse(bytes) else {
            throw Fault(
                description:
                    "A filter has at most \(Self.maximumBytes) bytes and \(JSONLimits.message.maxDepth) levels."
            )
        }
        var left = Self.maximumRules
        self.document = ordered
        rule = try Self.rule(ordered, &left)
    }

    /// Reads a stored pattern; `nil` for anything else.
    init?(text: String) {
        guard let value = try? StrictJSON.parse(Array(text.utf8)), let filter = try? ContentFilter(value) else {
            return nil
        }
        self = filter
    }

    var text: String { String(decoding: StrictJSON.encode(document), as: UTF8.self) }

    /// Whether an event's document fits.
    public func fits(_ event: JSONValue) -> Bool { Self.fits(event, rule) }

    // MARK: Reading

    private static func rule(_ value: JSONValue, _ left: inout Int) throws(Fault) -> Rule {
        guard case .object(let object) = value else { return .equal(value) }
        var rules: [Rule] = []
        for member in object.members {
            left -= 1
            guard left >= 0 else { throw Fault(description: "A filter has at most \(maximumRules) members.") }
            rules.append(
                member.key.hasPrefix("$")
                    ? try operation(member, &left) : .member(member.key, try rule(member.value, &left))
            )
        }
        return rules.count == 1 ? rules[0] : .all(rules)
    }

    private static func operation(_ member: JSONMember, _ left: inout Int) throws(Fault) -> Rule {
        let value = member.value
        if let comparison = Comparison(rawValue: member.key) {
            guard value.integerValue != nil || value.stringValue != nil else {
                throw Fault(description: "\(member.key) compares with a whole number or a text.")
            }
            return .compared(comparison, value)
        }
        switch member.key {
        case "$eq": return .equal(value)
        case "$neq": return .not(.equal(value))
        case "$in", "$nin":
            guard let values = value.arrayValue, !values.isEmpty else {
                throw Fault(description: "\(member.key) is a list of values.")
            }
            return member.key == "$in" ? .oneOf(values) : .not(.oneOf(values))
        case "$startsWith", "$endsWith":
            guard let text = value.stringValue else { throw Fault(description: "\(member.key) is a text.") }
            return member.key == "$startsWith" ? .begins(text) : .ends(text)
        case "$exist":
            guard let flag = value.boolValue else { throw Fault(description: "$exist is true or false.") }
            return .exists(flag)
        case "$not": return .not(try rule(value, &left))
        case "$and", "$or":
            guard let values = value.arrayValue, !values.isEmpty else {
                throw Fault(description: "\(member.key) is a list of patterns.")
            }
            var rules: [Rule] = []
            for value in values {
                left -= 1
                rules.append(try rule(value, &left))
            }
            return member.key == "$and" ? .all(rules) : .any(rules)
        default: throw Fault(description: "There is no operator \(member.key).")
        }
    }

    // MARK: Holding against an event

    private static func fits(_ value: JSONValue?, _ rule: Rule) -> Bool {
        switch rule {
        case .all(let rules):
            // Members of one pattern mean one and the same element of a list.
            if let elements = value?.arrayValue, rules.allSatisfy(\.isMember) {
                return elements.contains { fits($0, rule) }
            }
            return rules.allSatisfy { fits(value, $0) }
        case .any(let rules): return rules.contains { fits(value, $0) }
        case .not(let rule): return !fits(value, rule)
        case .exists(let wanted): return (value != nil) == wanted
        default: break
        }
        guard let value else {
            // Only a negation further down can fit what is not there.
            guard case .member(_, let rule) = rule else { return false }
            return fits(nil, rule)
        }
        if case .array(let elements) = value {
            if case .equal(value) = rule { return true }
            return elements.contains { fits($0, rule) }
        }
        switch rule {
        case .member(let key, let rule): return fits(value[key], rule)
        case .equal(let wanted):
            return value == wanted || StrictJSON.encode(value) == StrictJSON.encode(wanted)
        case .oneOf(let values): return values.contains(value)
        case .compared(let comparison, let bound): return holds(value, comparison, bound)
        case .begins(let text): return value.stringValue?.hasPrefix(text) ?? false
        case .ends(let text): return value.stringValue?.hasSuffix(text) ?? false
        case .all, .any, .not, .exists: return false
        }
    }

    private static func holds(_ value: JSONValue, _ comparison: Comparison, _ bound: JSONValue) -> Bool {
        func compare<Value: Comparable>(_ left: Value, _ right: Value) -> Bool {
            switch comparison {
            case .above: left > right
            case .atLeast: left >= right
            case .below: left < right
            case .atMost: left <= right
            }
        }
        switch (value, bound) {
        case (.integer(let left), .integer(let right)): return compare(left, right)
        case (.string(let left), .string(let right)): return compare(left, right)
        default: return false
        }
    }
}
