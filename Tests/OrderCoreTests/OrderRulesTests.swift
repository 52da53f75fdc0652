import Commerce
import Messaging
import OrderCore
import Testing

@Suite struct OrderRulesTests {
    @Test func everyDecisionKeepsTheContract() throws {
        for state in Fixture.states {
            let order = try Fixture.order(state)
            for input in Fixture.inputs {
                guard let decision = try? OrderRules.decide(order, input, at: Fixture.now) else {
                    #expect(input == .cancelRequested, "only a customer is refused: \(state) × \(input)")
                    continue
                }
                #expect(decision.transitions.count <= 1)
                if decision.disposition != .applied {
                    #expect(decision.state == state && decision.transitions.isEmpty, "\(state) × \(input)")
                    #expect(decision.commands.isEmpty && decision.deadlines.isEmpty, "\(state) × \(input)")
                }
                // A change of status is always told, and only then.
                #expect((decision.state.status != state.status) == !decision.transitions.isEmpty)
                for transition in decision.transitions {
                    #expect(transition.from == state.status && transition.to == decision.state.status)
                    #expect(OrderStatus.isAllowed(from: transition.from, to: transition.to), "\(transition)")
                    #expect(transition.reason == decision.state.reason)
                }
                // An order that goes on always has a deadline running; one that has ended has none.
                let sets = decision.deadlines.contains { if case .set = $0 { true } else { false } }
                if state.status.isTerminal {
                    #expect(decision.disposition != .applied)
                } else if decision.state.status.isTerminal {
                    #expect(!sets)
                } else if !decision.transitions.isEmpty {
                    #expect(sets, "\(state) × \(input)")
                }
            }
        }
    }

    /// Each permitted transition is reached by some state and input, but the first one, which ``OrderRules/begin`` makes.
    @Test func everyAllowedTransitionHappens() throws {
        var reached: [OrderStatus: Set<OrderStatus>] = [:]
        for status in OrderStatus.allCases { reached[status] = [] }
        for state in Fixture.states {
            for input in Fixture.inputs {
                let decision = try? OrderRules.decide(try Fixture.order(state), input, at: Fixture.now)
                for transition in decision?.transitions ?? [] {
                    if let from = transition.from { reached[from, default: []].insert(transition.to) }
                }
            }
        }
        #expect(reached == OrderStatus.allowedTransitions)
    }

    @Test func terminalStatusesHaveNoSuccessor() {
        for status in OrderStatus.allCases {
            #expect(OrderStatus.allowedTransitions[status]?.isEmpty == status.isTerminal)
        }
        #expect(OrderStatus.isAllowed(from: nil, to: .placed))
        #expect(!OrderStatus.isAllowed(from: nil, to: .awaitingStock))
        #expect(!OrderStatus.isAllowed(from: .completed, to: .completed))
    }

    @Test func beginningAsksForStockAtOnce() throws {
        let order = try Fixture.order(.placed, version: 0)
        let decision = OrderRules.begin(order, at: Fixture.now)
        #expect(
            decision.transitions == [
                OrderTransition(from: nil, to: .placed), OrderTransition(from: .placed, to: .awaitingStock),
            ]
        )
        #expect(decision.commands == [.reserveStock(expiresAt: Fixture.now.advanced(by: .seconds(900)))])
        #expect(decision.deadlines == [.set(.stock, at: Fixture.now.advanced(by: OrderTiming.standard.stock))])
        var begun = order
        begun.apply(decision, at: Fixture.now)
        #expect(begun.version == 2 && begun.state == .awaitingStock)
    }

    @Test func theWholeWay() throws {
        var order = try Fixture.order(.placed, version: 0)
        order.apply(OrderRules.begin(order, at: Fixture.now), at: Fixture.now)
        for input in [
            OrderInput.stockReserved, .paymentAuthorized, .paymentCaptured(Fixture.total), .stockCommitted,
        ] {
            order.apply(try OrderRules.decide(order, input, at: Fixture.now), at: Fixture.now)
        }
        #expect(order.state == .completed && order.version == 5)
    }

    @Test func compensationGivesUpAfterItsRounds() throws {
        var order = try Fixture.order(.awaitingPayment, version: 3)
        var decision = try OrderRules.decide(order, .cancelRequested, at: Fixture.now)
        var asked = 0
        while order.state.status != .needsOperator {
            order.apply(decision, at: Fixture.now)
            if !decision.commands.isEmpty { asked += 1 }
            guard asked <= 1440 else { break }
            decision = try OrderRules.decide(order, .deadline(.compensation), at: Fixture.now)
            if decision.state.status == .needsOperator { order.apply(decision, at: Fixture.now) }
        }
        #expect(asked == 1440 && order.state.status == .needsOperator && order.version == 5)
    }

    @Test func reasonsFromOutsideAreTamed() {
        #expect(OrderReason("out-of-stock").text == "out-of-stock")
        for bad in ["", "UPPER", "a b", "line\nfeed", "\u{202E}x", String(repeating: "a", count: 65), "ä"] {
            #expect(OrderReason(bad) == .other)
        }
        #expect(OrderReason(String(repeating: "a", count: 64)) != .other)
    }

    /// Random inputs: the history is a path of the machine, nothing follows an end, and the money that was asked for is
    /// taken back before the order counts as cancelled.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func randomSequences(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<5_000 {
            var order = try Fixture.order(.placed, version: 0)
            var previous: OrderStatus?
            var versions: Int64 = 0
            var authorizations = 0
            var last: OrderInput?
            var declined = false
            var repaid = false
            var released = false
            var decision: OrderDecision? = OrderRules.begin(order, at: Fixture.now)
            for _ in 0..<60 {
                for transition in decision?.transitions ?? [] {
                    #expect(transition.from == previous)
                    #expect(OrderStatus.isAllowed(from: previous, to: transition.to))
                    previous = transition.to
                    versions += 1
                }
                // Asking again is no second authorization: payment knows the order.
                if last != .republish { authorizations += decision?.commands.count { $0 == .authorizePayment } ?? 0 }
                if let decision { order.apply(decision, at: Fixture.now) }
                #expect(order.version == versions && order.state.status == previous)
                let input = Fixture.inputs[Int(random.next() % UInt64(Fixture.inputs.count))]
                last = input
                // A refused input leaves nothing to take over.
                decision = try? OrderRules.decide(order, input, at: Fixture.now)
                if decision?.disposition == .applied {
                    if input == .paymentDeclined(OrderReason("card-declined")), order.state == .awaitingPayment {
                        declined = true
                    }
                    if input == .paymentCancelled { repaid = true }
                    if input == .stockReleased || input == .stockCommitRefused(OrderReason("expired")) {
                        released = true
                    }
                }
            }
            #expect(authorizations <= 1, "the payment is asked for once")
            if case .cancelled = order.state {
                #expect(released, "stock is let go before the end")
                #expect(authorizations == 0 || declined || repaid, "the payment is undone before the end")
            }
        }
    }
}
