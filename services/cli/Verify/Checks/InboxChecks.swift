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
    Check("I2", "no effect without its inbox row", .always) { evidence in
        guard let messaging = evidence.messaging else { return .notExamined("the inboxes were not read") }
        let present = Set(
            messaging.inbox.map {
                MessagingEvidence.Effect(service: $0.service, consumer: $0.consumer, messageID: $0.messageID)
            }
        )
        let violations = messaging.effects.filter { !present.contains($0) }.map {
            "\($0.service): message \($0.messageID) had an effect and is not in the inbox of \($0.consumer)"
        }
        return .of(
            counted(messaging.effects.count, "effect") + ", " + counted(messaging.inbox.count, "inbox row"),
            violations: violations
        )
    },
]
