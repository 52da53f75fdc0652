import StrictJSON
import Testing
import Verification
import Webhooks

/// One way in which evidence can be bad.
struct Damage: Sendable, CustomTestStringConvertible {
    /// The check that must turn red.
    let id: String
    /// What is wrong, in words.
    let what: String
    /// What the counter-example must name.
    let names: String
    /// Checks that turn red as well because the same damage breaks them by their own meaning.
    let also: Set<String>
    /// Does the damage to good evidence.
    let apply: @Sendable (inout Evidence) throws -> Void

    init(
        _ id: String,
        _ what: String,
        names: String,
        also: Set<String> = [],
        apply: @escaping @Sendable (inout Evidence) throws -> Void
    ) {
        self.id = id
        self.what = what
        self.names = names
        self.also = also
        self.apply = apply
    }

    var testDescription: String { "\(id): \(what)" }
}

/// A place in the good evidence that a damage needs is not there: the test itself is wrong.
struct NotThere: Error {}

extension Evidence {
    var orderHistory: [HistoryRow] {
        get { orders?.history ?? [] }
        set { orders?.history = newValue }
    }

    var paymentHistory: [HistoryRow] {
        get { payments?.history ?? [] }
        set { payments?.history = newValue }
    }

    var stockHistory: [HistoryRow] {
        get { inventory?.history ?? [] }
        set { inventory?.history = newValue }
    }

    /// The place of a record of the log.
    func index(_ topic: String, _ subject: String, _ sequence: Int64) throws -> Int {
        guard
            let index = log?.firstIndex(where: {
                $0.topic == topic && $0.subject == subject && $0.sequence == sequence
            })
        else { throw NotThere() }
        return index
    }

    /// Changes one record of the log.
    mutating func change(
        _ topic: String,
        _ subject: String,
        _ sequence: Int64,
        _ body: (inout LogRecord) -> Void
    ) throws {
        let index = try index(topic, subject, sequence)
        var record = try record(topic, subject, sequence)
        body(&record)
        log?[index] = record
    }

    /// Makes the reading before this one such that it has seen something else.
    mutating func changeEarlier(_ body: (inout Evidence) throws -> Void) rethrows {
        var before = self
        try body(&before)
        earlier = Milestones(before)
    }

    /// Makes the reading before this one such that it has seen another record.
    mutating func changeEarlier(
        _ topic: String,
        _ subject: String,
        _ sequence: Int64,
        _ body: (inout LogRecord) -> Void
    ) throws {
        try changeEarlier { try $0.change(topic, subject, sequence, body) }
    }

    /// Moves the first offset of a service in a topic.
    mutating func changeOffset(_ service: String, _ topic: String, _ body: (Int64) -> Int64) {
        guard
            let index = messaging?.offsets?.firstIndex(where: {
                $0.service == service && $0.partition.hasPrefix(topic + "/")
            }), let next = messaging?.offsets?[index].next
        else { return }
        messaging?.offsets?[index].next = body(next)
    }

    /// Removes one record of the log.
    mutating func removeRecord(_ topic: String, _ subject: String, _ sequence: Int64) throws {
        let index = try index(topic, subject, sequence)
        log?.remove(at: index)
    }

    /// Changes every row of a read model.
    mutating func changeRows(_ table: String, _ body: (String) -> String) {
        let rows = readModels?.tables[table]
        readModels?.tables[table] = rows?.map(body)
    }

    /// Appends a record to the partition of another one, after its last record.
    mutating func append(like template: LogRecord, _ body: (inout LogRecord) -> Void) {
        var record = template
        body(&record)
        let last = log?.filter { $0.topic == record.topic && $0.partition == record.partition }.map(\.offset).max()
        record.offset = (last ?? -1) + 1
        log?.append(record)
    }

    /// The record of the log at a place.
    func record(_ topic: String, _ subject: String, _ sequence: Int64) throws -> LogRecord {
        guard let log else { throw NotThere() }
        return log[try index(topic, subject, sequence)]
    }

    /// Changes one row of a history.
    mutating func changeHistory(
        _ history: WritableKeyPath<Evidence, [HistoryRow]>,
        _ aggregate: String,
        _ version: Int64,
        _ body: (inout HistoryRow) -> Void
    ) throws {
        guard
            let index = self[keyPath: history].firstIndex(where: { $0.aggregate == aggregate && $0.version == version })
        else { throw NotThere() }
        body(&self[keyPath: history][index])
    }

    /// Removes the outbox row of an event.
    mutating func removeOutboxRow(_ topic: String, _ subject: String, _ sequence: Int64) throws {
        let before = messaging?.outbox.count
        messaging?.outbox.removeAll { $0.topic == topic && $0.subject == subject && $0.sequence == sequence }
        guard messaging?.outbox.count != before else { throw NotThere() }
    }

    /// Appends a line to the gateway's ledger, with an intent for its key unless told otherwise.
    mutating func operate(_ operation: String, _ key: String, _ reference: String, amount: Int64, intent: Bool = true) {
        let sequence = Int64((gateway?.count ?? 0) + 1)
        gateway?.append(
            GatewayOperation(
                sequence: sequence,
                operation: operation,
                result: "succeeded",
                key: key,
                reference: reference,
                amount: amount,
                currency: "EUR"
            )
        )
        guard intent else { return }
        payments?.intentKeys.insert(key)
        payments?.intents?.append(.init(key: key, order: reference, kind: operation, state: "succeeded", isDue: false))
    }

    /// Removes lines from the gateway's ledger.
    mutating func removeOperation(_ operation: String, _ reference: String) throws {
        let before = gateway?.count
        gateway?.removeAll { $0.operation == operation && $0.reference == reference }
        guard gateway?.count != before else { throw NotThere() }
    }
}

extension Evidence {
    /// When notification recorded an event.
    func recordedAt(_ event: String) throws -> Int64 { try webhook(event).recordedAt }

    /// The type that notification recorded with an event.
    func typeOfWebhook(_ event: String) throws -> String { try webhook(event).type }

    private func webhook(_ id: String) throws -> WebhookEvidence.Event {
        guard let event = webhooks?.events[id] else { throw NotThere() }
        return event
    }

    /// Endpoints that did not get what, at a glance, they wanted.
    mutating func addPeculiarEndpoints() throws {
        var webhooks = try #require(webhooks)
        func add(_ id: String, _ event: WebhookEvidence.Event, _ receiver: String) {
            let number = Int64(webhooks.deliveries.count + 1)
            webhooks.events[id] = event
            webhooks.deliveries.append(
                .init(number: number, event: id, endpoint: receiver, state: "pending", attempts: 0)
            )
        }
        // What another endpoint does is told to who asks; nobody is told about itself, nor when that cannot be read any more.
        webhooks.endpoints.append(.init(id: "self", unchangedSince: 1, eventTypes: ["webhook.*"]))
        let told = WebhookEvidence.Event(
            type: "webhook.endpoint.updated.v1",
            recordedAt: 2,
            body: Array(#"{"data":{"endpointId":"self"}}"#.utf8)
        )
        add("about-self", told, "gone")
        add("erased", .init(type: told.type, recordedAt: 2), "gone")
        // Choosers by content, of what does not fit, and of what was erased.
        var chooser = WebhookEvidence.Endpoint(id: "chooser", unchangedSince: 1, eventTypes: ["waybill.stock.*"])
        chooser.settings.filter = try ContentFilter(["data": ["sku": ["MUG"]]])
        webhooks.endpoints.append(chooser)
        let other = Array(#"{"data":{"sku":"JUG"}}"#.utf8)
        add("other", .init(type: "waybill.stock.adjusted.v1", recordedAt: 2, body: other), "gone")
        add("erased too", .init(type: "waybill.stock.adjusted.v1", recordedAt: 2), "gone")
        // Sent to one as a test; recorded before it said what it wants; said to be of no interest when it was read once more.
        add("test", .init(type: "waybill.order.placed.v1", isTest: true, recordedAt: 9), "gone")
        add("before", .init(type: "waybill.order.placed.v1", recordedAt: 1), "gone")
        self.webhooks = webhooks
        let again = try #require(
            messaging?.inbox.firstIndex { $0.consumer == "notification" && $0.messageID == "orders-\(order(1))-1" }
        )
        messaging?.inbox[again].outcome = "noop"
    }
}
