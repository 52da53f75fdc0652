import Commerce
import DurableStore
import Foundation
import GRDB
import KitTestSupport
import Messaging
import PaymentCore
import Synchronization

@testable import PaymentService

/// An identifier from a literal of a test.
func id<Value>(_ make: (String) -> Value?, _ text: String) -> Value {
    guard let value = make(text) else { preconditionFailure("a literal of a test is not an identifier: \(text)") }
    return value
}

func orderID(_ number: Int) -> OrderID {
    let digits = String(number)
    return id(OrderID.init, "00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits)
}

let tenEuros = Money(minorUnits: 1000, currency: .eur)

/// The payment service on a real store, with a scripted gateway and a clock that is moved by hand.
final class Harness: Sendable {
    let clock = ManualClock()
    let gateway: ScriptedGateway
    let store: DurableStore
    let runner: IntentRunner
    let gate: GatewayGate
    let callbacks: GatewayCallbacks
    private let processor: CommandProcessor
    private let messageNumber = Mutex(0)

    /// - Parameters:
    ///   - path: a database file; `nil` for memory.
    ///   - onStep: may fail a commit.
    init(
        gateway: ScriptedGateway = ScriptedGateway(),
        path: String? = nil,
        clock start: Timestamp? = nil,
        onStep: (@Sendable (StoreStep) throws -> Void)? = nil
    ) throws {
        if let start { clock.set(start) }
        self.gateway = gateway
        store = try DurableStore(
            DurableStoreConfiguration(path: path, onStep: onStep),
            migrations: PaymentSchema.migrator,
            clock: clock,
            ids: UUIDv7Generator()
        )
        gate = GatewayGate(clock: clock)
        runner = IntentRunner(store: store, gateway: gateway, gate: gate, clock: clock, failurePause: .milliseconds(1))
        callbacks = GatewayCallbacks(store: store) {}
        processor = CommandProcessor(
            store: store,
            inbox: Channels.paymentInbox,
            handler: PaymentCommandHandler { [runner] in runner.wake() }
        )
    }

    /// Sends a command through the inbox; a new message each time unless `messageID` is given.
    @discardableResult
    func send(_ command: some CommerceMessage, about order: OrderID, messageID: String? = nil) async throws -> [Verdict]
    {
        let number = messageNumber.withLock { number in
            number += 1
            return number
        }
        let envelope = Envelope(
            id: messageID ?? "message-\(number)-\(UUID().uuidString)",
            source: "/waybill/order",
            type: type(of: command).messageType,
            subject: order.text,
            time: clock.now(),
            correlationID: order.text,
            body: try PayloadCodec.encode(command)
        )
        return await processor.process([
            ReceivedMessage(
                source: .queue(Channels.paymentInbox),
                headers: EnvelopeHeaders.encode(envelope),
                body: envelope.body
            )
        ])
    }

    func authorize(_ order: OrderID = orderID(1), card: String = "tok_visa") async throws {
        try await send(
            AuthorizePayment(orderID: order, amount: tenEuros, card: id(CardToken.init, card)),
            about: order
        )
    }

    func capture(_ order: OrderID = orderID(1)) async throws {
        try await send(CapturePayment(orderID: order), about: order)
    }

    func cancel(_ order: OrderID = orderID(1)) async throws {
        try await send(CancelPayment(orderID: order, reason: "customer"), about: order)
    }

    /// Does what is due, moves the clock, and so on, for a while of the clock's time.
    func pass(_ duration: Duration, step: Duration = .milliseconds(500)) async throws {
        var rest = duration
        while rest > .zero {
            try await runner.performDue()
            clock.advance(by: step)
            gateway.tick(clock.now())
            rest -= step
        }
        try await runner.performDue()
    }

    func phase(_ order: OrderID = orderID(1)) async throws -> String? {
        try await store.read { db in
            try String.fetchOne(db, sql: "SELECT phase FROM payments WHERE order_id = ?", arguments: [order.text])
        }
    }

    func intents(_ order: OrderID = orderID(1)) async throws -> [String] {
        try await store.read { db in
            try String.fetchAll(
                db,
                sql: "SELECT kind || ' ' || state FROM intents WHERE order_id = ? ORDER BY created_at, key",
                arguments: [order.text]
            )
        }
    }

    /// Types of the replies to the order service, in order, without the common parts.
    func replies(_ order: OrderID = orderID(1)) async throws -> [String] {
        try await outbox("amqp", order).map {
            String($0.dropFirst("waybill.payment.".count).dropLast("Reply.v1".count))
        }
    }

    /// Kinds of the events, in order.
    func events(_ order: OrderID = orderID(1)) async throws -> [String] {
        try await outbox("kafka", order).map { String($0.dropFirst("waybill.payment.".count).dropLast(".v1".count)) }
    }

    private func outbox(_ transport: String, _ order: OrderID) async throws -> [String] {
        try await store.read { db in
            try String.fetchAll(
                db,
                sql: "SELECT type FROM outbox WHERE transport = ? AND subject = ? ORDER BY seq",
                arguments: [transport, order.text]
            )
        }
    }

    func integer(_ sql: String) async throws -> Int64 {
        try await store.read { db in try Int64.fetchOne(db, sql: sql) ?? 0 }
    }

    /// What must hold at any moment, whatever happened: L1–L3, L5, M1, M7, X1.
    func violations() async throws -> [String] {
        let gateway = gateway
        var found = try await store.read { db in
            var found: [String] = []
            let unbalanced = try Int64.fetchOne(
                db,
                sql:
                    "SELECT count(*) FROM (SELECT 1 FROM ledger_entries GROUP BY transaction_id, currency HAVING sum(amount) <> 0)"
            )
            if unbalanced != 0 { found.append("L1") }
            if try Int64.fetchOne(db, sql: "SELECT coalesce(sum(amount), 0) FROM ledger_entries") != 0 {
                found.append("L2")
            }
            var previous = LedgerChain.genesis
            for row in try Row.fetchAll(db, sql: "SELECT * FROM ledger_transactions ORDER BY id") {
                let entries = try Row.fetchAll(
                    db,
                    sql:
                        "SELECT account, amount, currency FROM ledger_entries WHERE transaction_id = ? ORDER BY position",
                    arguments: [row["id"] as Int64]
                )
                let text = LedgerChain.text(
                    id: row["id"],
                    sourceEvent: row["source_event"],
                    orderID: row["order_id"],
                    kind: row["kind"],
                    postedAt: row["posted_at"],
                    entries: entries.map { ($0[0], $0[1], $0[2]) },
                    previousHash: previous
                )
                if LedgerTable.hash(of: text) != row["hash"] { found.append("L3") }
                previous = row["hash"]
            }
            let keys = Set(try String.fetchAll(db, sql: "SELECT key FROM intents"))
            if !gateway.keys.isSubset(of: keys) { found.append("M7") }
            let history = Set(
                try String.fetchAll(
                    db,
                    sql: "SELECT order_id || ' ' || version || ' ' || to_status FROM payment_history"
                )
            )
            let events = try Row.fetchAll(
                db,
                sql: "SELECT subject, sequence, type FROM outbox WHERE transport = 'kafka'"
            )
            let announced = events.map {
                "\($0[0] as String) \($0[1] as Int64) \(($0[2] as String).split(separator: ".")[2])"
            }
            if Set(announced) != history || announced.count != history.count { found.append("X1") }
            return found
        }
        for order in gateway.orders where gateway.captures(of: order) > 1 { found.append("M1") }
        return found
    }
}
