import Commerce
import DurableStore

/// I: a message has its effect once.
let inboxChecks = [
    Check("I1", "each message has one effect per consumer", .always) { evidence in
        guard let messaging = evidence.messaging else { return .notExamined("the inboxes were not read") }
        var seen: [MessagingEvidence.Effect: Int] = [:]
        for effect in messaging.effects { seen[effect, default: 0] += 1 }
        var violations = seen.filter { $0.value > 1 }.map {
            "\($0.key.service): message \($0.key.messageID) had \($0.value) effects"
        }
        var rows: [MessagingEvidence.Effect: Int] = [:]
        for row in messaging.inbox {
            rows[
                MessagingEvidence.Effect(service: row.service, consumer: row.consumer, messageID: row.messageID),
                default: 0
            ] += 1
        }
        violations += rows.filter { $0.value > 1 }.map {
            "\($0.key.service): message \($0.key.messageID) stands \($0.value) times in the inbox"
        }
        return .of(
            counted(messaging.inbox.count, "inbox row") + ", " + counted(messaging.effects.count, "effect"),
            violations: violations
        )
    },
    Check("I2", "no effect without its inbox row, none in the inbox without its effect", .always) { evidence in
        guard let messaging = evidence.messaging else { return .notExamined("the inboxes were not read") }
        let present = Set(
            messaging.inbox.map {
                MessagingEvidence.Effect(service: $0.service, consumer: $0.consumer, messageID: $0.messageID)
            }
        )
        var violations = messaging.effects.filter { !present.contains($0) }.map {
            "\($0.service): message \($0.messageID) had an effect and is not in the inbox of \($0.consumer)"
        }
        // Only the order service keeps a journal that names every message which had an effect.
        if let journal = evidence.orders?.journal {
            let effective = Set(journal.lazy.filter { $0.disposition == "applied" }.compactMap(\.messageID))
            for row in messaging.inbox
            where row.consumer == Channels.orderInbox && row.outcome == "handled" && !effective.contains(row.messageID)
            {
                violations.append("\(row.service): message \(row.messageID) is called handled and had no effect")
            }
        }
        return .of(
            counted(messaging.effects.count, "effect") + ", " + counted(messaging.inbox.count, "inbox row"),
            violations: violations
        )
    },
    Check("I4", "what was handled under an event's id is that event", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard let messaging = evidence.messaging else { return .notExamined("the inboxes were not read") }
        var hashes: [String: Int64] = [:]
        for record in log {
            guard let id = record.eventID, hashes[id] == nil else { continue }
            hashes[id] = PayloadHash.of(type: record.type, subject: record.subject, body: record.body)
        }
        var compared = 0
        var violations: [String] = []
        for row in messaging.inbox {
            // Ids of commands are not in the log.
            guard let handled = row.bodyHash, let announced = hashes[row.messageID] else { continue }
            compared += 1
            if handled != announced {
                violations.append("\(row.service): \(row.consumer) handled other content under the id \(row.messageID)")
            }
        }
        return .of(counted(compared, "inbox row") + ", " + counted(hashes.count, "event"), violations: violations)
    },
]
