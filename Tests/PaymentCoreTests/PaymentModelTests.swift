import Commerce
import Messaging
import Testing

@testable import PaymentCore

/// Random histories against a model of the gateway that does everything a gateway may do: answer, lose answers, refuse, be
/// away, do it late. Whatever happens, there is at most one capture, and a cancelled payment nets to zero.
@Suite struct PaymentModelTests {
    @Test(arguments: 0..<8) func historiesKeepTheInvariants(_ block: UInt64) throws {
        var ends: [PaymentPhase: Int] = [:]
        var late = 0
        for seed in 0..<400 {
            var world = World(seed: block * 1000 + UInt64(seed))
            try world.run()
            ends[try #require(world.payment).phase, default: 0] += 1
            late += world.lateCaptures
        }
        #expect(ends[.captured, default: 0] > 0)
        #expect(ends[.cancelled, default: 0] > 0)
        #expect(late > 0, "the run must have met money that landed late")
    }
}

private struct World {
    var random: Seeded
    var payment: Payment?
    var intents: [String: Intent] = [:]
    var keys: [IntentKind: String] = [:]
    var now = Timestamp(millisecondsSinceEpoch: 1_000_000)
    let policy = IntentPolicy()
    /// What the gateway recorded, by key.
    var recorded: [String: (kind: IntentKind, done: Bool, reason: String)] = [:]
    var pendingLate: [String] = []
    var voided = false
    var milestones: [PaymentEvent.Kind] = []
    var balances: [LedgerAccount: Int64] = [:]
    var lateCaptures = 0
    var cancels = 0
    var cancelAnswers = 0

    init(seed: UInt64) { random = Seeded(state: seed) }

    mutating func run() throws {
        var commands: [PaymentInput] = [.authorize(aCharge, paymentID: aPayment)]
        if chance(30) { commands.insert(.authorize(aCharge, paymentID: aPayment), at: 0) }
        commands.append(.capture)
        if chance(60) {
            commands.insert(
                .cancel(reason: "customer", paymentID: aPayment),
                at: Int.random(in: 0...commands.count, using: &random)
            )
        }
        if chance(20) { commands.append(.cancel(reason: "customer", paymentID: aPayment)) }
        for _ in 0..<60 {
            if let command = commands.first, chance(30) {
                if case .capture = command, payment?.phase == .authorizing {
                } else {
                    commands.removeFirst()
                    try decide(command)
                }
            }
            try advance()
        }
        for command in commands { try decide(command) }
        // The gateway is well again: everything that is due gets a clear answer.
        for _ in 0..<200 { try advance(wild: false) }
        try check()
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func decide(_ input: PaymentInput) throws {
        if case .cancel = input { cancels += 1 }
        let before = payment?.phase
        let decision = try Payment.decide(payment, orderID: anOrder, input)
        payment = decision.payment
        if let before, let after = payment?.phase, before != after { #expect(before.successors.contains(after)) }
        for milestone in decision.milestones {
            #expect(PaymentMilestones.permits(milestone.kind, after: milestones.last))
            if milestone.kind == .captured, milestone.reason == Reasons.late { lateCaptures += 1 }
            milestones.append(milestone.kind)
        }
        #expect(payment?.version ?? 0 == Int64(milestones.count))
        for posting in decision.postings {
            for entry in posting.entries { balances[entry.account, default: 0] += entry.minorUnits }
        }
        for reply in decision.replies { if case .cancelled = reply { cancelAnswers += 1 } }
        for kind in decision.withdraw {
            let key = try #require(keys[kind])
            #expect(intents[key]?.state == .prepared)
            intents[key]?.state = .withdrawn
            intents[key]?.dueAt = nil
        }
        for kind in decision.begin {
            let key = "\(kind)-\(intents.count)"
            keys[kind] = key
            intents[key] = Intent(key: key, kind: kind, dueAt: now)
        }
        for kind in decision.hasten { if let key = keys[kind] { intents[key]?.dueAt = now } }
    }

    mutating func advance(wild: Bool = true) throws {
        now = now.advanced(byMilliseconds: wild ? Int64.random(in: 1...4000, using: &random) : 60_000)
        while let key = pendingLate.first, !wild || chance(20) {
            pendingLate.removeFirst()
            record(key, late: true)
        }
        let due = intents.values.filter { ($0.dueAt ?? .init(millisecondsSinceEpoch: .max)) <= now }.sorted {
            $0.key < $1.key
        }
        guard let picked = due.randomElement(using: &random), var intent = intents[picked.key] else { return }
        if wild, chance(10), intent.state == .calling { intent.state = .unknown }  // killed between call and row
        let action = intent.action(at: now, policy: policy)
        if action == .begin {
            intent.state = .calling
            let isAllowed = payment?.cancelReason == nil || !intent.kind.isGivenUp
            #expect(isAllowed, "no money is asked for once the payment is cancelled")
        }
        var answer: GatewayAnswer
        switch action {
        case .begin, .call: answer = call(intent, wild: wild)
        case .lookUp: answer = lookUp(intent.key, wild: wild)
        case .lookUpThenCall:
            answer = lookUp(intent.key, wild: wild)
            if answer == .notFound { answer = call(intent, wild: wild) }
        case .rest: return
        }
        let outcome = intent.step(answer, sentAt: now, now: now, policy: policy, random: random.next())
        intents[picked.key] = intent
        payment?.intents[intent.kind] = intent.state
        if let outcome { try decide(.settled(intent.kind, outcome)) }
    }

    mutating func call(_ intent: Intent, wild: Bool) -> GatewayAnswer {
        guard wild else {
            record(intent.key)
            return known(intent.key)
        }
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return .notSent(note: "refused")
        case 1: return .unclear(note: "lost on the way")
        case 2, 3:
            if !pendingLate.contains(intent.key), recorded[intent.key] == nil, intent.kind.isGivenUp {
                pendingLate.append(intent.key)
            }
            return .unclear(note: "timeout")
        case 4:
            record(intent.key)
            return .unclear(note: "garbage")
        default:
            guard !pendingLate.contains(intent.key) else { return .unclear(note: "409") }
            record(intent.key)
            return known(intent.key)
        }
    }

    mutating func lookUp(_ key: String, wild: Bool) -> GatewayAnswer {
        if wild, chance(20) { return chance(50) ? .notSent(note: "refused") : .unclear(note: "timeout") }
        return known(key)
    }

    func known(_ key: String) -> GatewayAnswer {
        guard let entry = recorded[key] else { return .notFound }
        return entry.done ? .done(reference: "ref-\(key)") : .refused(reason: entry.reason)
    }

    mutating func record(_ key: String, late: Bool = false) {
        guard recorded[key] == nil, let kind = intents[key]?.kind else { return }
        func count(_ kind: IntentKind) -> Int { recorded.values.count { $0.kind == kind && $0.done } }
        let refusal: String? =
            switch kind {
            case .authorize: chance(10) ? "card-declined" : nil
            case .capture:
                count(.capture) > 0 ? "already-captured" : voided && !late ? "voided" : chance(5) ? "issuer" : nil
            case .void: count(.capture) > 0 ? "already-captured" : nil
            case .refund: count(.refund) >= count(.capture) ? "already-refunded" : chance(10) ? "try-later" : nil
            }
        if kind == .void, refusal == nil { voided = true }
        recorded[key] = (kind, refusal == nil, refusal ?? "")
    }

    func check() throws {
        let payment = try #require(payment)
        func done(_ kind: IntentKind) -> Int { recorded.values.count { $0.kind == kind && $0.done } }
        #expect(done(.capture) <= 1)
        #expect(done(.refund) <= done(.capture))
        #expect(done(.authorize) <= 1)
        #expect(payment.phase.isSettled || payment.phase == .authorized, "stuck in \(payment.phase)")
        #expect(pendingLate.isEmpty)
        switch payment.phase {
        case .captured: #expect(done(.capture) - done(.refund) == 1)
        default: #expect(done(.capture) - done(.refund) == 0, "\(payment.phase)")
        }
        #expect(balances[.suspense, default: 0] == 0)
        #expect(balances.values.reduce(0, +) == 0)
        #expect(balances[.cardClearing, default: 0] == Int64(done(.capture) - done(.refund)) * tenEuros.minorUnits)
        #expect(cancels == 0 || cancelAnswers > 0)
        #expect(!payment.answerOwed)
    }
}
