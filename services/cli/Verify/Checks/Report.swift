public import StrictJSON

/// What all checks found in one reading.
public struct Report: Sendable {
    /// Each check with its finding, in the order of ``Check/all``.
    public let results: [(check: Check, finding: Finding)]

    /// Holds evidence against the checks: all at rest, otherwise those that hold at any moment. The checks run beside each
    /// other; which is done first does not show.
    public static func of(_ evidence: Evidence, checks: [Check] = Check.all) async -> Report {
        let checks = checks.filter { evidence.isQuiescent || $0.moment == .always }
        return await withTaskGroup(of: (Int, Finding).self) { group in
            for (index, check) in checks.enumerated() { group.addTask { (index, check.examine(evidence)) } }
            var findings = [Finding?](repeating: nil, count: checks.count)
            for await (index, finding) in group { findings[index] = finding }
            return Report(
                results: zip(checks, findings).map { ($0, $1 ?? .notExamined("the check did not run")) }
            )
        }
    }

    /// How many checks are violated.
    public var violated: Int {
        results.count { if case .violated = $0.finding.verdict { true } else { false } }
    }

    /// The report as one JSON object. Members are only ever added.
    ///
    /// ```
    /// {"violated": 1, "checks": [
    ///   {"id": "M1", "title": "…", "moment": "always", "lookedAt": "…", "verdict": "holds"},
    ///   {… "verdict": "violated", "count": 2, "example": "…"}, {… "verdict": "not-examined", "reason": "…"}]}
    /// ```
    public var document: JSONObject {
        [
            "violated": .integer(Int64(violated)),
            "checks": .array(
                results.map { check, finding in
                    var object: JSONObject = [
                        "id": .string(check.id), "title": .string(check.title),
                        "moment": .string(check.moment.rawValue), "lookedAt": .string(finding.lookedAt),
                    ]
                    switch finding.verdict {
                    case .holds:
                        object["verdict"] = "holds"
                    case .violated(let count, let example):
                        object["verdict"] = "violated"
                        object["count"] = .integer(Int64(count))
                        object["example"] = .string(example)
                    case .notExamined(let reason):
                        object["verdict"] = "not-examined"
                        object["reason"] = .string(reason)
                    }
                    return .object(object)
                }
            ),
        ]
    }
}
