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
    /// Whether everything had come to rest when the parts were read. If not, the parts are of slightly different moments, and
    /// the checks look in the one direction in which that does no harm.
    public var isQuiescent = true

    /// Makes empty evidence.
    public init() {}
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

/// The order service's tables.
public struct OrderEvidence: Sendable {
    /// An order.
    public struct Order: Sendable, Hashable {
        /// Its id.
        public var id: String
        /// Its status, as text.
        public var status: String
        /// Its version.
        public var version: Int64
        /// The total in minor units.
        public var total: Int64
        /// The currency code.
        public var currency: String
        /// Sum of quantity times unit price over its lines; `nil` when that does not fit.
        public var linesTotal: Int64?
        /// Pieces by article.
        public var units: [String: Int64]

        /// Makes an order.
        public init(
            id: String,
            status: String,
            version: Int64,
            total: Int64,
            currency: String,
            linesTotal: Int64?,
            units: [String: Int64]
        ) {
            self.id = id
            self.status = status
            self.version = version
            self.total = total
            self.currency = currency
            self.linesTotal = linesTotal
            self.units = units
        }
    }

    /// All orders.
    public var orders: [Order]
    /// All rows of the history, by order and version.
    public var history: [HistoryRow]
    /// Idempotency keys with the order that each made.
    public var keys: [(key: String, order: String)]

    /// Makes evidence.
    public init(orders: [Order] = [], history: [HistoryRow] = [], keys: [(key: String, order: String)] = []) {
        self.orders = orders
        self.history = history
        self.keys = keys
    }
}

/// The payment service's tables.
public struct PaymentEvidence: Sendable {
    /// One entry of the double-entry ledger.
    public struct Entry: Sendable, Hashable {
        /// The transaction that it belongs to: its number, from 1.
        public var transaction: String
        /// The account.
        public var account: String
        /// Minor units; debit and credit differ in sign.
        public var amount: Int64
        /// The currency code.
        public var currency: String

        /// Makes an entry.
        public init(transaction: String, account: String, amount: Int64, currency: String) {
            self.transaction = transaction
            self.account = account
            self.amount = amount
            self.currency = currency
        }
    }

    /// One transaction of the ledger with its link in the hash chain.
    public struct Link: Sendable, Hashable {
        /// The transaction.
        public var transaction: String
        /// The business event that it records; unique.
        public var source: String
        /// The hash that is stored, lower-case hexadecimal.
        public var storedHash: String
        /// The hash that follows from the one before and this transaction's rows.
        public var computedHash: String

        /// Makes a link.
        public init(transaction: String, source: String, storedHash: String, computedHash: String) {
            self.transaction = transaction
            self.source = source
            self.storedHash = storedHash
            self.computedHash = computedHash
        }
    }

    /// Payments by order: state as text.
    public var states: [String: String]
    /// All rows of the payments' history.
    public var history: [HistoryRow]
    /// The idempotency keys of all intents.
    public var intentKeys: Set<String>
    /// The ledger's entries, by transaction.
    public var entries: [Entry]
    /// The ledger's transactions, oldest first.
    public var chain: [Link]

    /// Makes evidence.
    public init(
        states: [String: String] = [:],
        history: [HistoryRow] = [],
        intentKeys: Set<String> = [],
        entries: [Entry] = [],
        chain: [Link] = []
    ) {
        self.states = states
        self.history = history
        self.intentKeys = intentKeys
        self.entries = entries
        self.chain = chain
    }
}

/// The inventory service's tables.
public struct InventoryEvidence: Sendable {
    /// The level of one article.
    public struct Level: Sendable, Hashable {
        /// The article.
        public var sku: String
        /// Pieces in the house.
        public var onHand: Int64
        /// Pieces set aside.
        public var reserved: Int64

        /// Makes a level.
        public init(sku: String, onHand: Int64, reserved: Int64) {
            self.sku = sku
            self.onHand = onHand
            self.reserved = reserved
        }
    }

    /// One change of the pieces in the house, oldest first.
    public struct Movement: Sendable, Hashable {
        /// The article.
        public var sku: String
        /// `adjusted`, `sold` or `returned`.
        public var kind: String
        /// Pieces added.
        public var change: Int64
        /// Pieces in the house afterwards.
        public var onHand: Int64
        /// The order, for `sold` and `returned`.
        public var order: String?

        /// Makes a movement.
        public init(sku: String, kind: String, change: Int64, onHand: Int64, order: String?) {
            self.sku = sku
            self.kind = kind
            self.change = change
            self.onHand = onHand
            self.order = order
        }
    }

    /// One line of a reservation.
    public struct Line: Sendable, Hashable {
        /// The order.
        public var order: String
        /// The article.
        public var sku: String
        /// Pieces.
        public var quantity: Int64

        /// Makes a line.
        public init(order: String, sku: String, quantity: Int64) {
            self.order = order
            self.sku = sku
            self.quantity = quantity
        }
    }

    /// All levels.
    public var levels: [Level]
    /// All movements, oldest first.
    public var movements: [Movement]
    /// Reservations by order: status as text.
    public var reservations: [String: String]
    /// Their lines.
    public var lines: [Line]
    /// All rows of their history.
    public var history: [HistoryRow]

    /// Makes evidence.
    public init(
        levels: [Level] = [],
        movements: [Movement] = [],
        reservations: [String: String] = [:],
        lines: [Line] = [],
        history: [HistoryRow] = []
    ) {
        self.levels = levels
        self.movements = movements
        self.reservations = reservations
        self.lines = lines
        self.history = history
    }
}
