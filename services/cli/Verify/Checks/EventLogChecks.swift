import Commerce

/// E: the event log keeps what it acknowledged, in order.
let eventLogChecks = [
    Check("E1", "no event that was announced or read is missing", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        var sequences: [EventSubject: Set<Int64>] = [:]
        for record in log where record.sequence > 0 {
            sequences[EventSubject(record.topic, record.subject), default: []].insert(record.sequence)
        }
        var violations = sequences.compactMap { aggregate, present -> String? in
            guard let last = present.max(), Int64(present.count) != last else { return nil }
            let missing = (1...last).first { !present.contains($0) } ?? 0
            return "\(aggregate.topic): \(aggregate.subject) reaches v\(last) and v\(missing) is missing"
        }
        violations += lostAfterReading(evidence, log)
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
            let partition = record.partitionName
            if let last = previous[partition], record.offset <= last {
                violations.append("\(record.place) was read after offset \(last)")
            }
            previous[partition] = record.offset
        }
        if let earlier = evidence.earlier?.partitions {
            let now = Milestones.partitions(log) { earlier[$0]?.count }
            violations += earlier.filter { $0.value.count > 0 && now[$0.key] != $0.value }.map {
                "the first \(counted($0.value.count, "record")) of \($0.key) are not what they were in the reading before"
            }
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
    Check("E5", "the events of one aggregate are in order", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        var seen: Set<String> = []
        var last: [EventSubject: Int64] = [:]
        var violations: [String] = []
        for record in log where record.sequence > 0 {
            guard let id = record.eventID, seen.insert(id).inserted else { continue }
            let before = last.updateValue(record.sequence, forKey: EventSubject(record.topic, record.subject)) ?? 0
            if record.sequence <= before {
                violations.append("\(record.place): \(record.subject) v\(record.sequence) follows v\(before)")
            }
        }
        return .of(
            counted(seen.count, "event") + ", " + counted(last.count, "aggregate"),
            violations: violations
        )
    },
    Check("E6", "the events of one aggregate are in one partition, under its key", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        var first: [EventSubject: Int] = [:]
        var violations: [String] = []
        for (index, record) in log.enumerated() where record.sequence > 0 {
            let aggregate = EventSubject(record.topic, record.subject)
            if let known = first[aggregate] {
                if log[known].partition != record.partition {
                    violations.append("\(record.subject) is in two partitions: \(log[known].place) and \(record.place)")
                }
            } else {
                first[aggregate] = index
            }
            if record.key != record.subject {
                violations.append(
                    "\(record.place) has the key \(record.key ?? "nothing") and the subject \(record.subject)"
                )
            }
        }
        return .of(
            counted(log.count, "record") + ", " + counted(first.count, "aggregate"),
            violations: violations
        )
    },
    Check("E7", "the cause of every event was received by its producer", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard let messaging = evidence.messaging else { return .notExamined("the inboxes were not read") }
        var received: [String: Set<String>] = [:]
        for row in messaging.inbox { received[row.service, default: []].insert(row.messageID) }
        // The cause of an event may be as old as what it is about.
        var begun: [String: Int64] = [:]
        for record in log { begun[record.subject] = min(begun[record.subject] ?? .max, record.timeMilliseconds) }
        var causes = 0
        var violations: [String] = []
        for record in log where record.sequence > 0 && evidence.isKnownToDatabases(record) {
            guard let cause = record.causationID, let service = producer(of: record.topic) else { continue }
            // An inbox forgets in the end. What it still remembers is from this time on.
            if let since = messaging.remembersSince[service], begun[record.subject] ?? .max < since { continue }
            causes += 1
            guard received[service]?.contains(cause) != true else { continue }
            violations.append("\(record.place) was caused by \(cause), which \(service) never received")
        }
        return .of(
            counted(causes, "cause") + ", " + counted(messaging.inbox.count, "inbox row"),
            violations: violations
        )
    },
    Check("E8", "every event can be decoded as what it says it is, of whom it says", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        var events = 0
        var violations: [String] = []
        for record in log where record.sequence > 0 {
            events += 1
            // What lies on a topic of somebody else is not ours to read.
            guard Channels.allTopics.contains(record.topic) else { continue }
            if record.event?.topic != record.topic || record.event?.type != record.type {
                violations.append("\(record.place) is no \(record.type)")
            } else if let subject = record.event?.subject, subject != record.subject {
                violations.append("\(record.place) is about \(subject) and goes by \(record.subject)")
            }
        }
        return .of(counted(events, "event"), violations: violations)
    },
]

/// Events that a consumer has handled and the log does not hold any more.
private func lostAfterReading(_ evidence: Evidence, _ log: [LogRecord]) -> [String] {
    guard let messaging = evidence.messaging, let offsets = messaging.offsets else { return [] }
    // A letter that was edited went back under an id that was never in the log.
    let edited = Set((evidence.deadLetters ?? []).filter { $0.requeues > 0 }.map { $0.service + " " + $0.consumer })
    let consumers = Set(offsets.map { $0.service + " " + $0.consumer }).subtracting(edited)
    guard !consumers.isEmpty else { return [] }
    let present = Set(log.compactMap(\.eventID))
    return messaging.inbox.filter {
        !present.contains($0.messageID) && consumers.contains($0.service + " " + $0.consumer)
    }.map { "\($0.service): \($0.consumer) has handled event \($0.messageID), which is not in the log" }
}

/// The service that publishes to a topic.
private func producer(of topic: String) -> String? {
    switch topic {
    case Channels.ordersTopic: "order"
    case Channels.paymentsTopic: "payment"
    case Channels.inventoryTopic, Channels.catalogTopic: "inventory"
    default: nil
    }
}
