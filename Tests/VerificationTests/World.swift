import Commerce
import DurableStore
import Messaging
import Verification
import Webhooks

/// An order id from a number.
func order(_ number: Int) -> String {
    let digits = String(number)
    return "00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
}

/// A small shop whose evidence is consistent: what the checks must find nothing wrong with, and what the bad histories are
/// made from. The rows of the read models are counted here along the way, not folded from the log.
struct World {
    struct Broken: Error {}

    static let mug = "MUG"
    static let total: Int64 = 2500
    static let pieces = 2
    /// 2026-01-01T00:00:00Z, the beginning of a minute.
    static let start: Int64 = 1_767_225_600_000

    /// Whether somebody wants the webhooks of orders that follow.
    var hasSubscriber = true
    /// Whether it chooses among them, by their channel.
    private var isSelective = false
    static let wantedChannel = "wanted"

    /// Who wants them. It came before all of them.
    private var subscriber: WebhookEvidence.Endpoint {
        var endpoint = WebhookEvidence.Endpoint(id: "ep", unchangedSince: 1, eventTypes: ["waybill.order.*"])
        if isSelective { endpoint.settings.channels = [Self.wantedChannel] }
        return endpoint
    }

    private var log: [LogRecord] = []
    private var ends: [String: Int64] = [:]
    private var orders = OrderEvidence()
    private var payments = PaymentEvidence()
    private var inventory = InventoryEvidence()
    private var messaging = MessagingEvidence()
    private var gateway: [GatewayOperation] = []
    private var load: [LoadEntry] = []
    private var onHand: Int64
    private var facts: [String] = []
    private var intents: [PaymentEvidence.Intent] = []
    private var journal: [OrderEvidence.JournalRow] = []
    private var webhooks = WebhookEvidence()
    private var receipts: [WebhookReceipt] = []
    private var revenue: [Int64: Int64] = [:]
    private var kinds: [PaymentEvent.Kind: Int64] = [:]

    /// - Parameter stock: pieces of the one article.
    init(stock: Int64 = 1000) throws {
        onHand = stock
        let sku = try Self.some(SKU(Self.mug))
        inventory.movements.append(.init(sku: Self.mug, kind: "adjusted", change: stock, onHand: stock, order: nil))
        let price = Money(minorUnits: Self.total / Int64(Self.pieces), currency: .eur)
        try announce(
            "catalog",
            CatalogItemPut.messageType,
            Self.mug,
            1,
            at: Self.start,
            CatalogItemPut(sku: sku, name: "Mug", price: price, active: true)
        )
        try announce(
            "inventory",
            StockAdjusted.messageType,
            Self.mug,
            1,
            at: Self.start,
            StockAdjusted(sku: sku, onHand: Int(stock), change: Int(stock))
        )
        inventory.articles = [.init(sku: Self.mug, catalogVersion: 1, stockVersion: 1)]
        load.append(LoadEntry(key: "key-refused", outcome: .fail, orders: []))
        load.append(LoadEntry(key: "key-unknown", outcome: .info, orders: []))
        messaging.inbox.append(
            .init(service: "order", consumer: "order.inbox", messageID: "poison-2", outcome: "noop")
        )
    }

    /// Order 1 is completed, order 2 cancelled after its money was taken, order 3 rejected for want of stock.
    static func good() throws -> Evidence {
        var world = try World()
        try world.complete(1)
        try world.cancel(2)
        try world.reject(3)
        return world.evidence
    }

    /// Many orders: most completed, every tenth rejected, every tenth cancelled; webhooks for every tenth.
    static func large(_ count: Int) throws -> Evidence {
        var world = try World(stock: 900_000_000)
        for number in 1...count {
            world.hasSubscriber = number % 10 == 2
            switch number % 10 {
            case 0: try world.reject(number)
            case 1: try world.cancel(number)
            default: try world.complete(number)
            }
        }
        return world.evidence
    }

    /// What happens to an order on its way: the input, by the number of the status that it leads to, and what is asked for then.
    private typealias Way = [(input: String, asked: [String])]
    private static let toStock: Way = [("placed", ["reserve-stock"])]
    private static let toMoney = toStock + [("stock-reserved", ["authorize-payment"])]
    private static let toConfirmation = toMoney + [("payment-authorized", ["capture-payment"])]

    mutating func complete(_ number: Int) throws {
        try add(number, [.placed, .awaitingStock, .awaitingPayment, .confirming, .completed])
        live(number, Self.toConfirmation + [("payment-captured", ["commit-stock"]), ("stock-committed", [])])
        try reserve(number, [("held", .reserved), ("committed", .committed)])
        try pay(number, [.authorized, .captured])
        onHand -= Int64(Self.pieces)
        inventory.movements.append(
            .init(sku: Self.mug, kind: "sold", change: -Int64(Self.pieces), onHand: onHand, order: order(number))
        )
        revenue[Self.minute(number), default: 0] += 1
    }

    mutating func cancel(_ number: Int) throws {
        try add(number, [.placed, .awaitingStock, .awaitingPayment, .confirming, .cancelling, .cancelled])
        live(
            number,
            Self.toConfirmation + [
                ("cancel-requested", ["release-stock", "cancel-payment"]), ("stock-released", []),
                ("payment-cancelled", []),
            ]
        )
        try reserve(number, [("held", .reserved), ("released", .released)])
        try pay(number, [.authorized, .captured, .refunded, .cancelled])
    }

    mutating func reject(_ number: Int) throws {
        try add(number, [.placed, .awaitingStock, .rejected])
        live(number, Self.toStock + [("stock-refused", [])])
        try reserve(number, [("refused", .refused)])
    }

    /// Everything as the loaders would hand it over.
    var evidence: Evidence {
        var evidence = Evidence()
        var inventory = inventory
        inventory.levels = [.init(sku: Self.mug, onHand: onHand, reserved: 0)]
        let sold = revenue.values.reduce(0, +)
        evidence.orders = orders
        evidence.payments = payments
        evidence.inventory = inventory
        evidence.gateway = gateway
        evidence.log = log
        evidence.messaging = messaging
        evidence.load = load
        evidence.orders?.journal = journal
        evidence.orders?.deadlines = []
        evidence.payments?.intents = intents
        evidence.inventory?.expiries = []
        evidence.webhooks = webhooks
        evidence.webhooks?.endpoints = [subscriber]
        evidence.receipts = receipts
        evidence.deadLetters = Self.letters
        evidence.poison = ["poison-1", "poison-2"]
        evidence.interruptions = 1
        // All that was published was also read. Notification wants what orders tell.
        evidence.messaging?.offsets = Self.offsets(upTo: ends)
        for record in log {
            guard let id = record.eventID else { continue }
            let hash = PayloadHash.of(type: record.type, subject: record.subject, body: record.body)
            for reader in EventReader.all where reader.topics.contains(record.topic) {
                let isWanted = reader != .forwarder || webhooks.events[id] != nil
                var row = MessagingEvidence.InboxRow(
                    service: reader.service,
                    consumer: reader.consumer,
                    messageID: id,
                    outcome: isWanted ? "handled" : "noop"
                )
                row.bodyHash = hash
                row.receivedAt = record.timeMilliseconds
                evidence.messaging?.inbox.append(row)
            }
        }
        evidence.readModels = ReadModelEvidence(
            tables: [
                "order_facts": facts,
                "revenue_by_minute": revenue.map { "\($0.key)|EUR|\($0.value * Self.total)|\($0.value)" },
                "units_by_sku": sold > 0 ? ["\(Self.mug)|\(sold * Int64(Self.pieces))"] : [],
                // From the first event to the fifth: 40 ms, in the class that ends at 50 ms.
                "completion_times": sold > 0 ? ["50|\(sold)"] : [],
                "payment_totals": kinds.map { "\($0.key.rawValue)|EUR|\($0.value * Self.total)|\($0.value)" },
                "article_names": ["\(Self.mug)|Mug"],
            ],
            offsets: ends.filter { !$0.key.hasPrefix("inventory/") }
        )
        evidence.earlier = Milestones(evidence)
        return evidence
    }

    /// Every reader has read its partitions to their ends.
    static func offsets(upTo ends: [String: Int64]) -> [MessagingEvidence.Offset] {
        EventReader.all.flatMap { reader in
            ends.filter { reader.reads($0.key) }.map { partition, next in
                .init(service: reader.service, consumer: reader.consumer, partition: partition, next: next)
            }
        }
    }

    /// One letter that is held, and one that was sent back and arrived.
    private static var letters: [DeadLetterEvidence] {
        func letter(_ id: String, _ code: String, _ state: String, requeues: Int64) -> DeadLetterEvidence {
            DeadLetterEvidence(
                service: "order",
                id: id,
                transport: "amqp",
                consumer: "order.inbox",
                source: "order.inbox",
                messageID: "poison-" + id,
                failureClass: "poison",
                code: code,
                state: state,
                requeues: requeues,
                requeueActs: requeues
            )
        }
        return [
            letter("1", "payload-invalid", "held", requeues: 0),
            letter("2", "unknown-type", "requeued", requeues: 1),
        ]
    }

    // MARK: Parts

    private mutating func add(_ number: Int, _ path: [OrderStatus]) throws {
        let id = order(number)
        let placedAt = Self.placedAt(number)
        let line = OrderLine(
            sku: try Self.some(SKU(Self.mug)),
            quantity: try Self.some(Quantity(Self.pieces)),
            unitPrice: Money(minorUnits: Self.total / Int64(Self.pieces), currency: .eur)
        )
        var before: OrderStatus?
        for (index, status) in path.enumerated() {
            let version = Int64(index + 1)
            orders.history.append(
                HistoryRow(aggregate: id, version: version, from: before?.rawValue, to: status.rawValue)
            )
            let event = OrderEvent(
                orderID: try Self.some(OrderID(id)),
                customerID: try Self.some(CustomerID("ann")),
                status: status,
                previousStatus: before,
                lines: [line],
                total: Money(minorUnits: Self.total, currency: .eur),
                placedAt: Timestamp(millisecondsSinceEpoch: placedAt).description
            )
            try announce(
                "orders",
                OrderEvent.messageType(for: status),
                id,
                version,
                at: placedAt + 10 * (version - 1),
                event
            )
            before = status
        }
        let last = try Self.some(path.last)
        orders.orders.append(
            .init(
                id: id,
                status: last.rawValue,
                version: Int64(path.count),
                total: Self.total,
                currency: "EUR",
                linesTotal: Self.total,
                units: [Self.mug: Int64(Self.pieces)]
            )
        )
        orders.keys.append(("key-\(number)", id))
        var entry = LoadEntry(key: "key-\(number)", outcome: .ok, orders: [id])
        entry.answers = ["answer-\(number)"]
        entry.reads = [200]
        load.append(entry)
        facts.append(
            "\(id)|\(path.count)|\(last.rawValue)|\(Self.total)|EUR|\(placedAt)|\(placedAt + 10 * Int64(path.count - 1))"
        )
        messaging.outbox.append(
            .init(
                service: "order",
                messageID: "command-\(number)",
                topic: nil,
                subject: id,
                sequence: nil,
                published: true
            )
        )
        // A duplicate that was answered again: an inbox row without an effect.
        messaging.inbox.append(
            .init(service: "order", consumer: "order.inbox", messageID: "late-\(number)", outcome: "noop")
        )
    }

    /// The journal of an order, with an answer in the inbox for every input that a message told.
    private mutating func live(_ number: Int, _ way: Way) {
        for (index, step) in way.enumerated() {
            let isMessage = step.input != "placed" && step.input != "cancel-requested"
            let message = isMessage ? "reply-\(number)-\(index + 1)" : nil
            journal.append(
                .init(
                    order: order(number),
                    input: step.input,
                    disposition: "applied",
                    messageID: message,
                    sent: step.asked.map { .init(name: $0, messageID: "\($0)-\(number)") }
                )
            )
            guard let message else { continue }
            messaging.inbox.append(
                .init(service: "order", consumer: "order.inbox", messageID: message, outcome: "handled")
            )
            messaging.effects.append(.init(service: "order", consumer: "order.inbox", messageID: message))
        }
    }

    private mutating func reserve(_ number: Int, _ path: [(status: String, kind: ReservationEvent.Kind)]) throws {
        let id = order(number)
        let item = OrderedItem(sku: try Self.some(SKU(Self.mug)), quantity: try Self.some(Quantity(Self.pieces)))
        var before: String?
        for (index, step) in path.enumerated() {
            inventory.history.append(
                HistoryRow(aggregate: id, version: Int64(index + 1), from: before, to: step.status)
            )
            try announce(
                "inventory",
                ReservationEvent.messageType(for: step.kind),
                id,
                Int64(index + 1),
                at: Self.placedAt(number),
                ReservationEvent(orderID: try Self.some(OrderID(id)), kind: step.kind, items: [item])
            )
            before = step.status
        }
        inventory.reservations[id] = before
        inventory.lines.append(.init(order: id, sku: Self.mug, quantity: Int64(Self.pieces)))
    }

    private mutating func pay(_ number: Int, _ path: [PaymentEvent.Kind]) throws {
        let id = order(number)
        var before: PaymentEvent.Kind?
        for (index, kind) in path.enumerated() {
            payments.history.append(
                HistoryRow(aggregate: id, version: Int64(index + 1), from: before?.rawValue, to: kind.rawValue)
            )
            try announce(
                "payments",
                PaymentEvent.messageType(for: kind),
                id,
                Int64(index + 1),
                at: Self.placedAt(number),
                PaymentEvent(
                    orderID: try Self.some(OrderID(id)),
                    paymentID: try Self.some(PaymentID(id)),
                    kind: kind,
                    amount: Money(minorUnits: Self.total, currency: .eur)
                )
            )
            kinds[kind, default: 0] += 1
            before = kind
            switch kind {
            case .authorized: operate(number, "authorize")
            case .captured:
                operate(number, "capture")
                book(number, "capture", debit: "card_clearing", credit: "revenue")
            case .refunded:
                operate(number, "refund")
                book(number, "refund", debit: "refunds", credit: "card_clearing")
            case .declined, .voided, .failed, .cancelled: break
            }
        }
        payments.states[id] = before == .captured ? "captured" : "cancelled"
    }

    private mutating func operate(_ number: Int, _ operation: String) {
        let key = "\(operation)-\(number)"
        payments.intentKeys.insert(key)
        intents.append(.init(key: key, order: order(number), kind: operation, state: "succeeded", isDue: false))
        gateway.append(
            GatewayOperation(
                sequence: Int64(gateway.count + 1),
                operation: operation,
                result: "succeeded",
                key: key,
                reference: order(number),
                amount: Self.total,
                currency: "EUR"
            )
        )
    }

    private mutating func book(_ number: Int, _ kind: String, debit: String, credit: String) {
        let transaction = String(payments.chain.count + 1)
        payments.entries.append(.init(transaction: transaction, account: debit, amount: Self.total, currency: "EUR"))
        payments.entries.append(.init(transaction: transaction, account: credit, amount: -Self.total, currency: "EUR"))
        payments.chain.append(
            .init(
                transaction: transaction,
                source: "\(kind)-\(number)",
                storedHash: "hash-\(transaction)",
                computedHash: "hash-\(transaction)"
            )
        )
    }

    private mutating func announce<Payload: Encodable>(
        _ topic: String,
        _ type: String,
        _ subject: String,
        _ sequence: Int64,
        at time: Int64,
        _ payload: Payload
    ) throws {
        let partition = Int32(subject.utf8.reduce(0) { ($0 * 31 + Int($1)) % 6 })
        let place = "\(topic)/\(partition)"
        let id = "\(topic)-\(subject)-\(sequence)"
        log.append(
            LogRecord(
                topic: topic,
                partition: partition,
                offset: ends[place, default: 0],
                key: subject,
                eventID: id,
                type: type,
                subject: subject,
                sequence: sequence,
                causationID: cause(topic, subject, sequence),
                timeMilliseconds: time,
                body: try PayloadCodec.encode(payload)
            )
        )
        ends[place, default: 0] += 1
        if topic == "orders", hasSubscriber { send(id, type, at: time) }
        if topic == "orders", !hasSubscriber { isSelective = true }
        messaging.outbox.append(
            .init(
                service: topic,
                messageID: id,
                topic: topic,
                subject: subject,
                sequence: sequence,
                published: true
            )
        )
    }

    /// What caused an event: a command that stands in its producer's inbox. A person causes what happens to articles.
    private mutating func cause(_ topic: String, _ subject: String, _ sequence: Int64) -> String? {
        guard topic != "catalog", subject != Self.mug, topic != "orders" else { return nil }
        let service = topic == "payments" ? "payment" : "inventory"
        let command = "\(topic)-command-\(subject)-\(sequence)"
        messaging.inbox.append(
            .init(service: service, consumer: service + ".inbox", messageID: command, outcome: "handled")
        )
        return command
    }

    /// A webhook that failed once and arrived at the second attempt.
    private mutating func send(_ event: String, _ type: String, at time: Int64) {
        let number = Int64(webhooks.deliveries.count + 1)
        webhooks.ready = ["ep"]
        webhooks.events[event] = .init(type: type, channels: subscriber.settings.channels, recordedAt: time)
        webhooks.deliveries.append(
            .init(number: number, event: event, endpoint: "ep", state: "delivered", attempts: 2)
        )
        for (index, state) in ["failed", "succeeded"].enumerated() {
            webhooks.attempts.append(
                .init(
                    delivery: number,
                    number: Int64(index + 1),
                    trigger: "scheduled",
                    state: state,
                    startedAt: Self.start + Int64(index) * 5000,
                    nextAt: index == 0 ? Self.start + 5000 : nil
                )
            )
            receipts.append(
                .init(
                    event: event,
                    digest: "digest-of-\(event)",
                    isVerified: true,
                    status: index == 0 ? 503 : 204,
                    endpoint: "ep"
                )
            )
        }
    }

    private static func placedAt(_ number: Int) -> Int64 { start + Int64(number) * 700 }

    /// The minute in which order `number` is completed.
    private static func minute(_ number: Int) -> Int64 {
        let completed = placedAt(number) + 40
        return completed - completed % 60_000
    }

    private static func some<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw Broken() }
        return value
    }
}
