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

    /// Something that is to happen once at the gateway.
    public struct Intent: Sendable, Hashable {
        /// Its idempotency key.
        public var key: String
        /// The order.
        public var order: String
        /// `authorize`, `capture`, `void` or `refund`.
        public var kind: String
        /// How far it has come, as text.
        public var state: String
        /// Whether a time is set at which it is looked at again.
        public var isDue: Bool

        /// Makes an intent.
        public init(key: String, order: String, kind: String, state: String, isDue: Bool) {
            self.key = key
            self.order = order
            self.kind = kind
            self.state = state
            self.isDue = isDue
        }
    }

    /// Payments by order: state as text.
    public var states: [String: String]
    /// All rows of the payments' history.
    public var history: [HistoryRow]
    /// The idempotency keys of all intents.
    public var intentKeys: Set<String>
    /// The intents themselves; `nil` when they were not read.
    public var intents: [Intent]?
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
