import Commerce

/// X: a change of state and its message are one.
let outboxChecks = [
    Check("X1", "every change of status has exactly one event, and every event its change", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard let messaging = evidence.messaging else { return .notExamined("the outboxes were not read") }
        var announced: [EventPlace: Set<String>] = [:]
        for record in log where record.sequence > 0 {
            guard let id = record.eventID else { continue }
            announced[EventPlace(record.topic, record.subject, record.sequence), default: []].insert(id)
        }
        for row in messaging.outbox {
            guard let topic = row.topic, let sequence = row.sequence else { continue }
            announced[EventPlace(topic, row.subject, sequence), default: []].insert(row.messageID)
        }
        var violations = announced.filter { $0.value.count > 1 }.map { place, ids in
            "\(place) is announced by \(ids.count) different events"
        }
        var changes = 0
        var expected: Set<EventPlace> = []
        for (topic, history) in histories(evidence) {
            for row in history {
                changes += 1
                let place = EventPlace(topic, row.aggregate, row.version)
                expected.insert(place)
                if announced[place] == nil { violations.append("\(place) (\(row.to)) has no event") }
            }
        }
        let known = Set(histories(evidence).map(\.topic))
        for place in announced.keys
        where evidence.isQuiescent && known.contains(place.topic) && !expected.contains(place) {
            // Articles share the inventory topic with reservations and have no history table of statuses.
            if place.topic == Channels.inventoryTopic, SKU(place.subject) != nil, OrderID(place.subject) == nil {
                continue
            }
            violations.append("\(place) has an event and no change of status")
        }
        return .of(
            counted(changes, "change") + ", " + counted(announced.count, "event"),
            violations: violations
        )
    },
    Check("X2", "nothing waits in an outbox", .quiescent) { evidence in
        guard let messaging = evidence.messaging else { return .notExamined("the outboxes were not read") }
        let waiting = messaging.outbox.filter { !$0.published && $0.parked == nil }
        return .of(
            counted(messaging.outbox.count, "row"),
            violations: waiting.map { "\($0.service): message \($0.messageID) about \($0.subject) is not published" }
        )
    },
    Check("X3", "what the outbox calls published is in the event log", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard let messaging = evidence.messaging else { return .notExamined("the outboxes were not read") }
        let present = Set(log.compactMap(\.eventID))
        let published = messaging.outbox.filter { $0.published && $0.topic != nil }
        let violations = published.filter { !present.contains($0.messageID) }.map {
            "\($0.service): event \($0.messageID) about \($0.subject) is called published and is not in \($0.topic ?? "")"
        }
        return .of(
            counted(published.count, "published row") + ", " + counted(present.count, "event"),
            violations: violations
        )
    },
]

/// The place of an event among those of its aggregate.
struct EventPlace: Hashable, CustomStringConvertible {
    let topic: String
    let subject: String
    let sequence: Int64

    init(_ topic: String, _ subject: String, _ sequence: Int64) {
        self.topic = topic
        self.subject = subject
        self.sequence = sequence
    }

    var description: String { "\(topic): \(subject) v\(sequence)" }
}

private func histories(_ evidence: Evidence) -> [(topic: String, rows: [HistoryRow])] {
    var histories: [(topic: String, rows: [HistoryRow])] = []
    if let orders = evidence.orders { histories.append((Channels.ordersTopic, orders.history)) }
    if let payments = evidence.payments { histories.append((Channels.paymentsTopic, payments.history)) }
    if let inventory = evidence.inventory { histories.append((Channels.inventoryTopic, inventory.history)) }
    return histories
}
