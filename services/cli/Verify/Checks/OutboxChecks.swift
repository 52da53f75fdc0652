import Commerce

/// X: a change of state and its message are one.
let outboxChecks = [
    Check("X1", "every change of status has exactly one event, and every event its change", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard let messaging = evidence.messaging else { return .notExamined("the outboxes were not read") }
        var announcements = Announcements()
        for record in log where record.sequence > 0 {
            guard let id = record.eventID else { continue }
            // What came into the log while the databases were being read, they may not have known yet.
            announcements.add(
                EventPlace(record.topic, record.subject, record.sequence),
                id,
                type: record.type,
                mayBeUnknown: !evidence.isKnownToDatabases(record)
            )
        }
        for row in messaging.outbox {
            guard let topic = row.topic, let sequence = row.sequence else { continue }
            announcements.add(
                EventPlace(topic, row.subject, sequence),
                row.messageID,
                type: nil,
                mayBeUnknown: false
            )
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
                switch announcements.match(place) {
                case nil: violations.append("\(place) (\(row.to)) has no event")
                case .some(let type?) where type != announcement(of: row.to, on: topic):
                    violations.append("\(place) became \(row.to) and was announced as \(type)")
                case .some: break
                }
            }
        }
        let known = Set(histories.map(\.topic))
        for place in announcements.unmatched where known.contains(place.topic) {
            // Articles share the inventory topic with reservations and have no history table of statuses.
            if place.topic == Channels.inventoryTopic, SKU(place.subject) != nil, OrderID(place.subject) == nil {
                continue
            }
            violations.append("\(place) has an event and no change of status")
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
    Check("X9", "an event is published again only after an interruption", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard let interruptions = evidence.interruptions else {
            return .notExamined("how often the run was interrupted was not said (--interruptions)")
        }
        var copies: [String: Int] = [:]
        for record in log { if let id = record.eventID { copies[id, default: 0] += 1 } }
        let violations = copies.filter { $0.value > 1 + interruptions }.map {
            "event \($0.key) is in the log \($0.value) times after \(counted(interruptions, "interruption"))"
        }
        return .of(counted(copies.count, "event") + ", " + counted(log.count, "record"), violations: violations)
    },
]

/// The type that announces a status on a topic; `nil` for a status that nobody knows.
private func announcement(of status: String, on topic: String) -> String? {
    switch topic {
    case Channels.ordersTopic: OrderStatus(rawValue: status).map(OrderEvent.messageType(for:))
    case Channels.paymentsTopic: PaymentEvent.Kind(rawValue: status).map(PaymentEvent.messageType(for:))
    case Channels.inventoryTopic:
        // What inventory calls held is announced as reserved; all else has one name.
        ReservationEvent.Kind(rawValue: status == "held" ? "reserved" : status)
            .map(ReservationEvent.messageType(for:))
    default: nil
    }
}

/// An aggregate of a topic.
struct EventSubject: Hashable {
    let topic: String
    let subject: String

    init(_ topic: String, _ subject: String) {
        self.topic = topic
        self.subject = subject
    }
}

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
        /// What it says it is; `nil` where only the outbox tells of it.
        let type: String?
        var isMatched: Bool
    }

    private var entries: [String: [String: [Entry]]] = [:]
    private(set) var count = 0
    /// Places that more than one event claims, with all of their events.
    private(set) var rivals: [EventPlace: Set<String>] = [:]

    /// - Parameter mayBeUnknown: whether the place need not be a real one yet.
    mutating func add(_ place: EventPlace, _ eventID: String, type: String?, mayBeUnknown: Bool) {
        if let index = entries[place.topic]?[place.subject]?.firstIndex(where: { $0.sequence == place.sequence }),
            let known = entries[place.topic]?[place.subject]?[index]
        {
            if known.eventID != eventID { rivals[place, default: [known.eventID]].insert(eventID) }
            if !mayBeUnknown, known.isMatched { entries[place.topic]?[place.subject]?[index].isMatched = false }
            return
        }
        entries[place.topic, default: [:]][place.subject, default: []]
            .append(Entry(sequence: place.sequence, eventID: eventID, type: type, isMatched: mayBeUnknown))
        count += 1
    }

    /// The type of the event that announces the place, as far as it is known, and `nil` when none does; remembers that the
    /// place is a real one.
    mutating func match(_ place: EventPlace) -> String?? {
        guard let index = entries[place.topic]?[place.subject]?.firstIndex(where: { $0.sequence == place.sequence })
        else {
            return nil
        }
        entries[place.topic]?[place.subject]?[index].isMatched = true
        return .some(entries[place.topic]?[place.subject]?[index].type)
    }

    /// Places that were announced, must be real, and were never matched.
    var unmatched: [EventPlace] {
        entries.flatMap { topic, subjects in
            subjects.flatMap { subject, entries in
                entries.filter { !$0.isMatched }.map { EventPlace(topic, subject, $0.sequence) }
            }
        }
    }
}

/// The histories of statuses that were read, by the topic that announces them.
func histories(_ evidence: Evidence) -> [(topic: String, rows: [HistoryRow])] {
    var histories: [(topic: String, rows: [HistoryRow])] = []
    if let orders = evidence.orders { histories.append((Channels.ordersTopic, orders.history)) }
    if let payments = evidence.payments { histories.append((Channels.paymentsTopic, payments.history)) }
    if let inventory = evidence.inventory { histories.append((Channels.inventoryTopic, inventory.history)) }
    return histories
}
