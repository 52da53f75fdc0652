import CardGateway
import Commerce
import HTTPKit
import Messaging
import PaymentCore
import PaymentService
import Simulation
import StrictJSON

/// Payment's way to the gateway.
///
/// `@unchecked`: the simulation has one task, and the world outlives all that it holds.
struct GatewayPort: CardGatewayClient, @unchecked Sendable {
    unowned let world: World

    func call(_ call: GatewayCall) async -> GatewayAnswer { await world.called(call) }
    func lookUp(_ call: GatewayCall) async -> GatewayAnswer { await world.lookedUp(call) }
}

/// Sees what payment sees at its edges.
///
/// `@unchecked`: the simulation has one task, and the world outlives all that it holds.
struct PaymentWatch: PaymentObserver, @unchecked Sendable {
    unowned let world: World

    func exchanged(_ operation: String, _ answer: GatewayAnswer, _ duration: Duration) {}

    func storeFailed(_ failure: Failure) { world.storeFailed(world.node(.payment), failure) }

    func calledBack(_ outcome: String) {
        switch outcome {
        case "applied": world.reach(.callbackTold)
        case "duplicate": world.reach(.callbackDuplicate)
        case "mismatch": world.reach(.callbackMismatched)
        case "unsigned": world.reach(.callbackForged)
        default: break
        }
    }
}

extension World {
    fileprivate func called(_ call: GatewayCall) async -> GatewayAnswer {
        gateway.hear(call)
        note("gateway: \(call.kind.rawValue) for \(call.orderID.text)")
        if gatewayAwayUntil != nil || hit(.gatewayUnreachable) { return .notSent(note: "connection refused") }
        if hit(.callOverlaps) { await overlap(random.within(1...6)) }
        if hit(.gatewayTurnsAway) {
            if gateway.expects(call.key) { reach(.turnedAwayLate) }
            return HTTPCardGateway.answer(to: SimulatedGateway.turnedAway, call)
        }
        let request = OperationRequest(call)
        if hit(.gatewayTimeoutNotCharged) { return .unclear(note: "timeout") }
        if hit(.gatewayArrivesLate) {
            gateway.delay(request, until: time.now.advanced(byMilliseconds: Int64(random.within(100...40_000))))
            return .unclear(note: "timeout")
        }
        if hit(.crashDuringCall) {
            reach(.diedDuringCall)
            kill(node(.payment))
        }
        let reply = gateway.perform(request, at: time.now, callbackAfter: Int64(random.within(1000...3000)))
        if hit(.callbackEarly), let entry = gateway.book.entry(forKey: call.key) {
            await tell(SimulatedGateway.Callback(due: time.now, entry: entry))
        }
        if hit(.callOverlaps) { await overlap(random.within(1...6)) }
        if hit(.crashAfterAnswer) {
            reach(.diedAfterAnswer)
            kill(node(.payment))
        }
        guard let reply, !hit(.gatewayTimeoutCharged) else { return .unclear(note: "timeout") }
        if hit(.gatewayError) { return HTTPCardGateway.answer(to: HTTPReply(status: 500), call) }
        if hit(.gatewayGarbage) {
            return HTTPCardGateway.answer(to: HTTPReply(status: 200, body: SimulatedGateway.garbage), call)
        }
        return HTTPCardGateway.answer(to: reply, call)
    }

    fileprivate func lookedUp(_ call: GatewayCall) async -> GatewayAnswer {
        note("gateway: look-up of \(call.kind.rawValue) for \(call.orderID.text)")
        if gatewayAwayUntil != nil || hit(.gatewayUnreachable) { return .notSent(note: "connection refused") }
        if hit(.lookUpFails) { return .unclear(note: "timeout") }
        let answer = HTTPCardGateway.lookUpAnswer(to: gateway.lookUp(call.key), call)
        // Only a capture takes money.
        if call.kind == .capture {
            switch answer {
            case .done: reach(.unknownCharged)
            case .notFound: reach(.unknownNotCharged)
            case .refused, .turnedAway, .notSent, .unclear: break
            }
        }
        return answer
    }

    func land() {
        note("late operations land")
        gateway.land(at: time.now)
    }

    // MARK: Callbacks

    func sendCallback() async {
        guard let callback = gateway.takeCallback(at: time.now) else { return }
        if hit(.callbackLost) { return }
        if hit(.callbackDuplicated) {
            gateway.repeat(callback.entry, at: time.now.advanced(byMilliseconds: Int64(random.within(0...2000))))
        }
        if hit(.callbackStale), let old = random.pick(gateway.told) {
            gateway.repeat(old, at: time.now.advanced(byMilliseconds: Int64(random.within(0...5000))))
        }
        await tell(callback)
    }

    private func tell(_ callback: SimulatedGateway.Callback) async {
        let (id, body) = CallbackSender.message(about: callback.entry)
        note("callback \(id)")
        gateway.wasTold(callback.entry)
        if await !post(callbackSigner.headers(id: id, body: body, at: time.now), body) {
            gateway.again(callback, at: time.now)
        }
    }

    /// Sends payment a callback; whether it was taken.
    private func post(_ headers: [(name: String, value: String)], _ body: [UInt8]) async -> Bool {
        let node = node(.payment)
        guard node.isRunning, let routes = node.instance?.callbacks else { return false }
        if !isOverlapping { arm(node) }
        defer { if !isOverlapping { node.armed = nil } }
        func value(_ name: String) -> String? { headers.first { $0.name == name }?.value }
        do {
            _ = try await routes.receive(
                id: value("webhook-id"),
                timestamp: value("webhook-timestamp"),
                signatures: value("webhook-signature"),
                body: body
            )
            return true
        } catch {
            return false
        }
    }

    /// A stranger says that a charge succeeded. Must change nothing.
    func forgeCallback() async {
        guard let call = random.pick(gateway.heard) else { return }
        let body = story(about: call, amount: call.amount.minorUnits)
        let stranger = CallbackSigner(secret: "whsec_ZnJvbS1hLXN0cmFuZ2VyLWZyb20tYS1zdHJhbmdlcg==")
        let id = "cb_forged_\(steps)"
        guard let headers = stranger?.headers(id: id, body: body, at: time.now) else { return }
        if await post(headers, body) { violate("SEC10", "a callback with a stranger's signature was taken") }
    }

    /// The gateway says, with its own signature, that another amount was charged. Must not be believed.
    func sendMismatchedCallback() async {
        guard let call = random.pick(gateway.heard) else { return }
        let body = story(about: call, amount: call.amount.minorUnits + 1)
        _ = await post(callbackSigner.headers(id: "cb_other_\(steps)", body: body, at: time.now), body)
    }

    private func story(about call: GatewayCall, amount: Int64) -> [UInt8] {
        StrictJSON.encode(
            [
                "data": [
                    "id": .string("tale_\(steps)"), "key": .string(call.key), "operation": .string(call.kind.rawValue),
                    "result": "succeeded", "reference": .string(call.orderID.text), "amount": .integer(amount),
                    "currency": .string(call.amount.currency.rawValue),
                ]
            ] as JSONValue
        )
    }
}

extension OperationRequest {
    /// The request that payment's adapter makes of a call.
    init(_ call: GatewayCall) {
        let content: Content =
            switch call.kind {
            case .authorize:
                .authorize(
                    reference: call.orderID.text,
                    amount: call.amount.minorUnits,
                    currency: call.amount.currency.rawValue,
                    card: call.card.text
                )
            case .capture: .capture(authorization: call.authorization ?? "")
            case .void: .void(authorization: call.authorization ?? "")
            case .refund: .refund(capture: call.capture ?? "", amount: nil)
            }
        self.init(key: call.key, content: content)
    }
}
