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
        /// How often the open steps of its compensation were asked for; `nil` when it has none that is open.
        public var openRounds: Int64?

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

    /// Something that happened to an order, and what was asked of others in answer.
    public struct JournalRow: Sendable, Hashable {
        /// The order.
        public var order: String
        /// What happened: `stock-reserved`, `deadline-payment` …
        public var input: String
        /// Whether it meant anything: `applied`, `repeated`, `late`, `unexpected`.
        public var disposition: String
        /// The message that told it; `nil` for people and clocks.
        public var messageID: String?
        /// The commands that were sent in answer: name and message.
        public var sent: [Command]
        /// When, in milliseconds since the Unix epoch.
        public var at: Int64 = 0

        /// A command that went into the outbox.
        public struct Command: Sendable, Hashable {
            /// `reserve-stock`, `cancel-payment` …
            public var name: String
            /// The message.
            public var messageID: String

            /// Makes a command.
            public init(name: String, messageID: String) {
                self.name = name
                self.messageID = messageID
            }
        }

        /// Makes a row.
        public init(order: String, input: String, disposition: String, messageID: String?, sent: [Command] = []) {
            self.order = order
            self.input = input
            self.disposition = disposition
            self.messageID = messageID
            self.sent = sent
        }
    }

    /// All orders.
    public var orders: [Order]
    /// All rows of the history, by order and version.
    public var history: [HistoryRow]
    /// Idempotency keys with the order that each made.
    public var keys: [(key: String, order: String)]
    /// All that happened to every order, in order; `nil` when it was not read.
    public var journal: [JournalRow]?
    /// Orders that have a deadline; `nil` when they were not read.
    public var deadlines: Set<String>?

    /// Makes evidence.
    public init(orders: [Order] = [], history: [HistoryRow] = [], keys: [(key: String, order: String)] = []) {
        self.orders = orders
        self.history = history
        self.keys = keys
    }
}
