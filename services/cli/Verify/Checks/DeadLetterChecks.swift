import Messaging

/// D: the dead letters are exactly what deserves it, and sending one back neither loses nor doubles it.
let deadLetterChecks = [
    Check("D1", "the dead letters are exactly the poison that was sent", .quiescent) { evidence in
        guard let letters = evidence.deadLetters else { return .notExamined("the dead letters were not read") }
        // Webhooks that were given up stand among the letters of their own right.
        let messages = letters.filter { $0.transport != "http" }
        guard let poison = evidence.poison else {
            return messages.isEmpty
                ? .of(counted(0, "letter"), violations: [])
                : .notExamined("\(counted(messages.count, "dead letter")), and nobody said which deserve it (--poison)")
        }
        let present = Set(messages.compactMap(\.messageID))
        let doubtful = evidence.doubtfulPoison
        var violations = present.subtracting(poison).subtracting(doubtful).map {
            "message \($0) is a dead letter and no poison"
        }
        violations += poison.subtracting(present).map { "message \($0) is poison and no dead letter" }
        violations += messages.filter { $0.messageID == nil }.map {
            "letter \($0.id) from \($0.source) has no id, so that nobody can have declared it"
        }
        return .of(
            counted(messages.count, "letter") + ", " + counted(poison.count, "poison id")
                + (doubtful.isEmpty ? "" : " and \(counted(doubtful.count, "doubtful one"))"),
            violations: violations
        )
    },
    Check("D3", "every dead letter says what failed, where and how often", .always) { evidence in
        guard let letters = evidence.deadLetters else { return .notExamined("the dead letters were not read") }
        let violations = letters.filter {
            FailureClass(rawValue: $0.failureClass) == nil || $0.code.isEmpty || $0.source.isEmpty
                || $0.consumer.isEmpty
        }.map {
            "letter \($0.id) of \($0.service): class \($0.failureClass), code \($0.code), from \($0.source), "
                + "\(counted(Int($0.attempts), "attempt"))"
        }
        return .of(counted(letters.count, "letter"), violations: violations)
    },
    Check("D4", "a letter goes back once, by an act in the journal, and arrives or comes back", .always) { evidence in
        guard let letters = evidence.deadLetters else { return .notExamined("the dead letters were not read") }
        guard let messaging = evidence.messaging else { return .notExamined("the inboxes were not read") }
        let returned = Set(letters.compactMap(\.previous))
        let known = Set(messaging.inbox.map { $0.consumer + " " + $0.messageID })
        var violations: [String] = []
        // Webhooks are sent again by their own sender, not by the letter.
        for letter in letters where letter.transport != "http" {
            if letter.requeues > 1 { violations.append("letter \(letter.id) went back \(letter.requeues) times") }
            if letter.requeues != letter.requeueActs {
                violations.append(
                    "letter \(letter.id) went back \(letter.requeues) times, by \(counted(Int(letter.requeueActs), "act"))"
                )
            }
            if (letter.state == "requeued") != (letter.requeues > 0) {
                violations.append("letter \(letter.id) is \(letter.state) and went back \(letter.requeues) times")
            }
            // An inbox forgets in the end what arrived.
            let isRemembered = letter.changedAt >= messaging.remembersSince[letter.service] ?? .min
            if evidence.isQuiescent, letter.state == "requeued", isRemembered, let message = letter.messageID,
                !known.contains(letter.consumer + " " + message), !returned.contains(letter.id)
            {
                violations.append("letter \(letter.id) went back and neither arrived nor failed again")
            }
        }
        return .of(counted(letters.count, "letter"), violations: violations)
    },
]
