/// E: the event log keeps what it acknowledged, in order.
let eventLogChecks = [
    Check("E1", "no event that was announced is missing", .quiescent) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        var sequences: [Aggregate: Set<Int64>] = [:]
        for record in log where record.sequence > 0 {
            sequences[Aggregate(record.topic, record.subject), default: []].insert(record.sequence)
        }
        let violations = sequences.compactMap { aggregate, present -> String? in
            guard let last = present.max(), Int64(present.count) != last else { return nil }
            let missing = (1...last).first { !present.contains($0) } ?? 0
            return "\(aggregate.topic): \(aggregate.subject) reaches v\(last) and v\(missing) is missing"
        }
        return .of(
            counted(log.count, "record") + ", " + counted(sequences.count, "aggregate"),
            violations: violations
        )
    },
    Check("E2", "an offset has one content", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        var previous: [String: Int64] = [:]
        var violations: [String] = []
        for record in log {
            let partition = "\(record.topic)/\(record.partition)"
            if let last = previous[partition], record.offset <= last {
                violations.append("\(record.place) was read after offset \(last)")
            }
            previous[partition] = record.offset
        }
        return .of(counted(log.count, "record") + ", " + counted(previous.count, "partition"), violations: violations)
    },
    Check("E3", "every record can be read", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        let violations = log.filter { $0.eventID == nil }.map { "\($0.place) carries no readable envelope" }
        return .of(counted(log.count, "record"), violations: violations)
    },
    Check("E4", "a duplicate is the same event, byte for byte", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        var first: [String: Int] = [:]
        var duplicates = 0
        var violations: [String] = []
        for (index, record) in log.enumerated() {
            guard let id = record.eventID else { continue }
            guard let known = first[id] else {
                first[id] = index
                continue
            }
            duplicates += 1
            let original = log[known]
            if original.body != record.body || original.type != record.type || original.subject != record.subject
                || original.topic != record.topic || original.sequence != record.sequence
            {
                violations.append("event \(id) differs at \(original.place) and \(record.place)")
            }
        }
        return .of(
            counted(first.count, "event") + ", " + counted(duplicates, "duplicate"),
            violations: violations
        )
    },
    Check("E5", "the events of one aggregate are in order, in one partition", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        var seen: Set<String> = []
        var last: [Aggregate: LogRecord] = [:]
        var violations: [String] = []
        for record in log where record.sequence > 0 {
            let aggregate = Aggregate(record.topic, record.subject)
            if let before = last[aggregate], before.partition != record.partition {
                violations.append("\(record.subject) is in two partitions: \(before.place) and \(record.place)")
            }
            if record.key != record.subject {
                violations.append(
                    "\(record.place) has the key \(record.key ?? "nothing") and the subject \(record.subject)"
                )
            }
            guard let id = record.eventID, seen.insert(id).inserted else { continue }
            if let before = last[aggregate], record.sequence <= before.sequence {
                violations.append("\(record.place): \(record.subject) v\(record.sequence) follows v\(before.sequence)")
            }
            last[aggregate] = record
        }
        return .of(
            counted(seen.count, "event") + ", " + counted(last.count, "aggregate"),
            violations: violations
        )
    },
]

private struct Aggregate: Hashable {
    let topic: String
    let subject: String

    init(_ topic: String, _ subject: String) {
        self.topic = topic
        self.subject = subject
    }
}
