import Commerce

/// X: a change of state and its message are one.
let outboxChecks = [
    Check("X1", "every change of status has exactly one event, and every event its change", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard let messaging = evidence.messaging else { return .notExamined("the outboxes were not read") }
        var announcements = Announcements()
        for record in log where record.sequence > 0 {
            guard let id = record.eventID else { continue }
            announcements.add(EventPlace(record.topic, record.subject, record.sequence), id)
        }
        for row in messaging.outbox {
            guard let topic = row.topic, let sequence = row.sequence else { continue }
            announcements.add(EventPlace(topic, row.subject, sequence), row.messageID)
        }
        var violations = announcements.rivals.map { place, ids in
            "\(place) is announced by \(ids.count) different events"
        }
        let histories = histories(evidence)
        var changes = 0
        for (topic, history) in histories {
            changes += history.count
            for row in history {
                let place = EventPlace(topic, row.aggregate, row.version)
                if !announcements.match(place) { violations.append("\(place) (\(row.to)) has no event") }
            }
        }
        // In the middle of the traffic the log knows more than the databases, which were read before it.
        if evidence.isQuiescent {
            let known = Set(histories.map(\.topic))
            for place in announcements.unmatched where known.contains(place.topic) {
                // Articles share the inventory topic with reservations and have no history table of statuses.
                if place.topic == Channels.inventoryTopic, SKU(place.subject) != nil, OrderID(place.subject) == nil {
                    continue
                }
                violations.append("\(place) has an event and no change of status")
            }
        }
        return .of(
            counted(changes, "change") + ", " + counted(announcements.count, "event"),
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

/// Which event announces each place. An aggregate has a dozen events at most, so its places are a short list: one entry per
/// place in one large dictionary takes several times as long.
private struct Announcements {
    private struct Entry {
        let sequence: Int64
        let eventID: String
        var isMatched = false
    }

    private var entries: [String: [String: [Entry]]] = [:]
    private(set) var count = 0
    /// Places that more than one event claims, with all of their events.
    private(set) var rivals: [EventPlace: Set<String>] = [:]

    mutating func add(_ place: EventPlace, _ eventID: String) {
        if let known = entries[place.topic]?[place.subject]?.first(where: { $0.sequence == place.sequence }) {
            if known.eventID != eventID { rivals[place, default: [known.eventID]].insert(eventID) }
            return
        }
        entries[place.topic, default: [:]][place.subject, default: []]
            .append(Entry(sequence: place.sequence, eventID: eventID))
        count += 1
    }

    /// Whether an event announces the place; remembers that the place is a real one.
    mutating func match(_ place: EventPlace) -> Bool {
        guard let index = entries[place.topic]?[place.subject]?.firstIndex(where: { $0.sequence == place.sequence })
        else {
            return false
        }
        entries[place.topic]?[place.subject]?[index].isMatched = true
        return true
    }

    /// Places that were announced and never matched.
    var unmatched: [EventPlace] {
        entries.flatMap { topic, subjects in
            subjects.flatMap { subject, entries in
                entries.filter { !$0.isMatched }.map { EventPlace(topic, subject, $0.sequence) }
            }
        }
    }
}

private func histories(_ evidence: Evidence) -> [(topic: String, rows: [HistoryRow])] {
    var histories: [(topic: String, rows: [HistoryRow])] = []
    if let orders = evidence.orders { histories.append((Channels.ordersTopic, orders.history)) }
    if let payments = evidence.payments { histories.append((Channels.paymentsTopic, payments.history)) }
    if let inventory = evidence.inventory { histories.append((Channels.inventoryTopic, inventory.history)) }
    return histories
}
