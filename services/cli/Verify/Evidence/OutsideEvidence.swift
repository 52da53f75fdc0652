/// One line of the gateway's ledger.
public struct GatewayOperation: Sendable, Hashable {
    /// Position, from 1.
    public var sequence: Int64
    /// `authorize`, `capture`, `void` or `refund`.
    public var operation: String
    /// `succeeded`, `declined` or `refused`.
    public var result: String
    /// The caller's idempotency key.
    public var key: String
    /// The caller's reference: the order id.
    public var reference: String
    /// Minor units.
    public var amount: Int64
    /// The currency code.
    public var currency: String

    /// Makes an operation.
    public init(
        sequence: Int64,
        operation: String,
        result: String,
        key: String,
        reference: String,
        amount: Int64,
        currency: String
    ) {
        self.sequence = sequence
        self.operation = operation
        self.result = result
        self.key = key
        self.reference = reference
        self.amount = amount
        self.currency = currency
    }
}

/// One record of the event log.
public struct LogRecord: Sendable, Hashable {
    /// The topic.
    public var topic: String
    /// The partition.
    public var partition: Int32
    /// The offset.
    public var offset: Int64
    /// The key as text; `nil` when there is none.
    public var key: String?
    /// The event's id; `nil` when the record carries no readable envelope.
    public var eventID: String?
    /// The event's type.
    public var type: String { didSet { event = LoggedEvent(type: type, body: body) } }
    /// The aggregate.
    public var subject: String
    /// The event's place among those of its aggregate; 0 when it carries none.
    public var sequence: Int64
    /// The message that caused the event.
    public var causationID: String?
    /// The event's time in milliseconds since the Unix epoch.
    public var timeMilliseconds: Int64
    /// The payload.
    public var body: [UInt8] { didSet { event = LoggedEvent(type: type, body: body) } }
    /// What the payload says; `nil` when it is not what its type says.
    public private(set) var event: LoggedEvent?

    /// Makes a record.
    public init(
        topic: String,
        partition: Int32,
        offset: Int64,
        key: String?,
        eventID: String?,
        type: String,
        subject: String,
        sequence: Int64,
        causationID: String? = nil,
        timeMilliseconds: Int64 = 0,
        body: [UInt8] = []
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.eventID = eventID
        self.type = type
        self.subject = subject
        self.sequence = sequence
        self.causationID = causationID
        self.timeMilliseconds = timeMilliseconds
        self.body = body
        event = LoggedEvent(type: type, body: body)
    }

    /// `orders/3@17`
    public var place: String { "\(topic)/\(partition)@\(offset)" }

    /// `orders/3`
    public var partitionName: String { "\(topic)/\(partition)" }
}

/// The read models as sorted rows of text, and how far the log was folded into them.
public struct ReadModelEvidence: Sendable {
    /// Rows by table, each as its columns joined with `|`.
    public var tables: [String: [String]]
    /// The next offset of each partition: `orders/3` → 17.
    public var offsets: [String: Int64]
    /// Records before the offsets that wait for another attempt: `orders/3@12`.
    public var parked: Set<String>

    /// Makes evidence.
    public init(tables: [String: [String]] = [:], offsets: [String: Int64] = [:], parked: Set<String> = []) {
        self.tables = tables
        self.offsets = offsets
        self.parked = parked
    }
}

/// One order as the client of a load run saw it.
public struct LoadEntry: Sendable, Hashable {
    /// What the client knows.
    public enum Outcome: String, Sendable {
        /// Acknowledged.
        case ok
        /// Definitely refused: a 4xx answer, and no attempt before it whose answer was lost.
        case fail
        /// Unknown: the answer never came.
        case info
    }

    /// The idempotency key.
    public var key: String
    /// What came of it.
    public var outcome: Outcome
    /// The order id of each acknowledgement, the first one first.
    public var orders: [String]
    /// A digest of the body of each acknowledgement, the first one first; repeated ones once.
    public var answers: [String] = []
    /// The statuses of reads of the order after its first acknowledgement.
    public var reads: [Int] = []

    /// Makes an entry.
    public init(key: String, outcome: Outcome, orders: [String]) {
        self.key = key
        self.outcome = outcome
        self.orders = orders
    }
}
