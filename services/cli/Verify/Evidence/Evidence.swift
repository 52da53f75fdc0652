import Commerce

/// Everything that the checks look at, read from copies of the databases, the gateway's ledger, the event log and the
/// history of a load run. Plain values: a check is a pure function of them. A part that could not be had is `nil`, and
/// the checks that need it say so.
public struct Evidence: Sendable {
    /// The order service's database.
    public var orders: OrderEvidence?
    /// The payment service's database.
    public var payments: PaymentEvidence?
    /// The inventory service's database.
    public var inventory: InventoryEvidence?
    /// The gateway's own ledger.
    public var gateway: [GatewayOperation]?
    /// Every record of the event log, in the order of each partition.
    public var log: [LogRecord]?
    /// Outboxes and inboxes of all services.
    public var messaging: MessagingEvidence?
    /// The read models of analytics and the offsets up to which they were folded.
    public var readModels: ReadModelEvidence?
    /// What the client of a load run saw.
    public var load: [LoadEntry]?
    /// Endpoints, deliveries and attempts of the webhook sender.
    public var webhooks: WebhookEvidence?
    /// What a receiver of webhooks saw, in its own record.
    public var receipts: [WebhookReceipt]?
    /// The dead letters of all services.
    public var deadLetters: [DeadLetterEvidence]?
    /// Ids of the messages that deserve to be dead letters: what a generator of poison says that it sent.
    public var poison: Set<String>?
    /// Poison of which the generator cannot say that it arrived: a dead letter or not, both is right.
    public var doubtfulPoison: Set<String> = []
    /// How often something was killed, frozen or cut off during the run: the bound of X9.
    public var interruptions: Int?
    /// The end of each partition (`orders/3` → 17), noted before any database was read. What the log held then, the databases
    /// must know; what came later they may not have known yet.
    public var logMarks: [String: Int64]?
    /// What the reading before this one has shown, in a watch: what must never go backwards.
    public var earlier: Milestones?
    /// Whether everything had come to rest when the parts were read. If not, the parts are of slightly different moments, and
    /// the checks look in the one direction in which that does no harm.
    public var isQuiescent = true

    /// Makes empty evidence.
    public init() {}
}

extension Evidence {
    /// Whether the database of a service that reads events is among the evidence.
    func holds(_ service: String) -> Bool {
        switch service {
        case EventReader.catalogReplica.service: orders != nil
        case EventReader.forwarder.service: webhooks != nil
        case EventReader.readModels.service: readModels != nil
        default: false
        }
    }

    /// The records of which the databases must know, because the log held them before any database was read: at rest all of
    /// them; in the middle of the traffic those before ``logMarks``, and without marks none.
    func isKnownToDatabases(_ record: LogRecord) -> Bool {
        if isQuiescent { return true }
        guard let logMarks else { return false }
        return record.offset < logMarks[record.partitionName] ?? 0
    }
}

/// One change of status of an aggregate, as its history table has it.
public struct HistoryRow: Sendable, Hashable {
    /// The aggregate: an order id, a payment's order id, a reservation's order id.
    public var aggregate: String
    /// Its version after the change, from 1.
    public var version: Int64
    /// The status before; `nil` on the first row.
    public var from: String?
    /// The status after.
    public var to: String

    /// Makes a row.
    public init(aggregate: String, version: Int64, from: String?, to: String) {
        self.aggregate = aggregate
        self.version = version
        self.from = from
        self.to = to
    }
}
