import Testing

@testable import Verification

/// Each check against a good history and against every bad one that was made for it. A check that no bad history turns red
/// proves nothing.
@Suite struct CheckTests {
    private func red(_ evidence: Evidence) -> [String: (count: Int, example: String)] {
        var red: [String: (count: Int, example: String)] = [:]
        for check in Check.all {
            if case .violated(let count, let example) = check.examine(evidence).verdict {
                red[check.id] = (count, example)
            }
        }
        return red
    }

    @Test func goodEvidenceHoldsInEveryCheck() throws {
        let evidence = try World.good()
        for check in Check.all {
            let finding = check.examine(evidence)
            #expect(finding.verdict == .holds, "\(check.id) \(check.title)")
            #expect(finding.lookedAt.contains { $0.isNumber && $0 != "0" }, "\(check.id) looked at \(finding.lookedAt)")
        }
    }

    @Test(arguments: Damages.all) func damageIsFound(_ damage: Damage) throws {
        var evidence = try World.good()
        try damage.apply(&evidence)
        let red = red(evidence)
        let found = try #require(red[damage.id], "not found at all; red are \(red.keys.sorted())")
        #expect(found.example.contains(damage.names), "\(found.example)")
        #expect(found.count >= 1)
        #expect(Set(red.keys) == damage.also.union([damage.id]), "\(red)")
    }

    @Test func everyCheckHasADamageAndItsOwnID() {
        let ids = Check.all.map(\.id)
        #expect(Set(ids).count == ids.count)
        #expect(Set(ids) == Set(Damages.all.map(\.id)))
        #expect(
            Set(ids).isSuperset(of: [
                "A1", "A2", "A3", "A4", "O1", "O2", "O3", "O4", "O5", "O6", "M1", "M2", "M3", "M4", "M5", "M6", "M7",
                "M8", "L1",
                "L2", "L3", "L4", "L5", "L6", "S1", "S2", "S3", "S4", "S5", "S6", "X1", "X2", "X3", "X9", "I1", "I2",
                "I4",
                "G2", "G3", "G4", "G6", "E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "R1", "R3", "R4", "W1", "W2",
                "W3",
                "D1", "D3", "D4",
            ])
        )
    }

    @Test func missingEvidenceIsSaidAndNeverCalledGood() {
        for check in Check.all {
            guard case .notExamined(let reason) = check.examine(Evidence()).verdict else {
                Issue.record("\(check.id) has a verdict on nothing")
                continue
            }
            #expect(!reason.isEmpty)
        }
    }

    /// What does no harm: exact duplicates in the log, events after the offsets, unknown outcomes, late answers.
    @Test func harmlessThingsStayGreen() throws {
        var evidence = try World.good()
        for record in [
            try evidence.record("inventory", order(1), 2), try evidence.record("orders", order(1), 5),
            try evidence.record("payments", order(2), 3),
        ] {
            evidence.append(like: record) { _ in }
        }
        for index in evidence.messaging?.offsets?.indices ?? 0..<0 {
            let place = evidence.messaging?.offsets?[index].partition
            let end = evidence.log?.last { $0.partitionName == place }?.offset ?? -1
            evidence.messaging?.offsets?[index].next = end + 1
        }
        // The duplicates were read by analytics, which counts each event once.
        for record in evidence.log ?? [] where record.topic != "inventory" {
            let place = "\(record.topic)/\(record.partition)"
            let end = evidence.readModels?.offsets[place] ?? 0
            evidence.readModels?.offsets[place] = max(end, record.offset + 1)
        }
        evidence.load?.append(LoadEntry(key: "key-timeout", outcome: .info, orders: []))
        try evidence.addPeculiarEndpoints()
        // One doubtful poison arrived, one did not; a receiver that does not know its endpoint took something twice.
        evidence.poison?.remove("poison-1")
        evidence.doubtfulPoison = ["poison-1", "poison-9"]
        if var receipt = evidence.receipts?.last {
            receipt.endpoint = nil
            evidence.receipts?.append(receipt)
        }
        evidence.gateway?.append(
            GatewayOperation(
                sequence: 99,
                operation: "capture",
                result: "declined",
                key: "capture-2",
                reference: order(2),
                amount: 2500,
                currency: "EUR"
            )
        )
        #expect(red(evidence).isEmpty, "\(red(evidence))")
    }

    /// In the middle of the traffic the log is read after the databases and knows more than they do.
    @Test func aLiveReadingLooksInOneDirectionOnly() throws {
        var evidence = try World.good()
        let last = try evidence.record("inventory", order(3), 1)
        evidence.append(like: last) {
            $0.sequence = 2
            $0.eventID = "not yet in the copy"
        }
        evidence.interruptions = nil
        evidence.earlier = nil
        // What was taken after the receiver's record was read.
        evidence.receipts?.removeLast()
        #expect(red(evidence).keys.sorted() == ["L6", "R4", "W1", "X1"])
        evidence.isQuiescent = false
        #expect(red(evidence).isEmpty)
        // Unless the log held the event before the databases were read: then they must know it.
        let place = try evidence.record("inventory", order(3), 2)
        evidence.logMarks = [place.partitionName: place.offset]
        #expect(red(evidence).isEmpty)
        evidence.logMarks = [place.partitionName: place.offset + 1]
        #expect(red(evidence).keys.sorted() == ["L6", "X1"])
    }

    /// After thirty days the inboxes forget; orders, their journal and the log do not.
    @Test func whatAnInboxHasForgottenIsNoViolation() throws {
        var evidence = try World.good()
        let since = World.start + 1000
        let forgotten = Set(evidence.log?.filter { $0.subject == order(1) }.compactMap(\.eventID) ?? [])
        evidence.messaging?.remembersSince = ["payment": since, "inventory": since, "notification": since]
        evidence.messaging?.inbox.removeAll { row in
            row.service != "order"
                && (row.messageID.contains("command-" + order(1)) || forgotten.contains(row.messageID))
        }
        // Order 1 began before, order 2 after.
        #expect(red(evidence).isEmpty, "\(red(evidence))")
        evidence.messaging?.inbox.removeAll { $0.messageID.contains("payments-command-" + order(2)) }
        #expect(red(evidence).keys.sorted() == ["E7"])

        var old = OrderEvidence.JournalRow(
            order: order(1),
            input: "stock-reserved",
            disposition: "applied",
            messageID: "forgotten"
        )
        old.at = since - 1
        var kept = old
        kept.messageID = "kept"
        kept.at = since
        var orders = OrderEvidence()
        orders.journal = [old, kept]
        #expect(OrderQueries.effects(of: orders, since: since).map(\.messageID) == ["kept"])
        #expect(OrderQueries.effects(of: orders, since: nil).map(\.messageID) == ["forgotten", "kept"])
    }

    /// A backup that is put back while nobody looks is older than what was seen before.
    @Test func whatOneReadingCouldNotSeeIsHeldToTheOneBefore() throws {
        let seen = try World.good()
        var blind = seen
        blind.orders = nil
        blind.webhooks = nil
        blind.payments = nil
        blind.log = nil
        blind.messaging?.offsets?.removeAll { $0.service == "notification" }
        var old = seen
        old.isQuiescent = false
        old.orders?.orders[0].version = 4
        old.payments?.chain[0].storedHash = "hash-other"
        old.payments?.chain[0].computedHash = "hash-other"
        old.changeOffset("notification", "orders") { $0 - 1 }
        old.earlier = Milestones(blind, after: Milestones(seen))
        #expect(Set(red(old).keys).isSuperset(of: ["O6", "L3", "R4"]), "\(red(old))")
        old.earlier = Milestones(blind)
        #expect(Set(red(old).keys).isDisjoint(with: ["O6", "R4"]), "\(red(old))")
    }

    @Test func theShortestExampleIsShownWithTheCount() throws {
        var evidence = try World.good()
        evidence.orders?.orders[0].linesTotal = nil
        evidence.orders?.orders[1].linesTotal = 1
        let found = try #require(red(evidence)["O4"])
        #expect(found.count == 2)
        #expect(found.example.contains(order(2)))
    }
}
