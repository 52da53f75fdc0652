/// A message that could not be handled, as a service keeps it.
public struct DeadLetterEvidence: Sendable, Hashable {
    /// Whose.
    public var service: String
    /// The record.
    public var id: String
    /// `amqp`, `kafka` or `http`.
    public var transport: String
    /// The inbox or consumer in which it failed.
    public var consumer: String
    /// The queue, or topic, partition and offset.
    public var source: String
    /// The message's own id, if it could be read.
    public var messageID: String?
    /// Class of the last failure.
    public var failureClass: String
    /// Code of the last failure.
    public var code: String
    /// Attempts made.
    public var attempts: Int64
    /// `held`, `requeued` or `discarded`.
    public var state: String
    /// How often it was sent back.
    public var requeues: Int64
    /// Acts in the journal that sent it back.
    public var requeueActs: Int64
    /// The letter that it was before it was sent back and failed again.
    public var previous: String?
    /// When its state changed last, in milliseconds since the Unix epoch; the far future when that was not read.
    public var changedAt: Int64 = .max

    /// Makes a letter.
    public init(
        service: String,
        id: String,
        transport: String,
        consumer: String,
        source: String,
        messageID: String?,
        failureClass: String,
        code: String,
        attempts: Int64 = 1,
        state: String = "held",
        requeues: Int64 = 0,
        requeueActs: Int64 = 0,
        previous: String? = nil
    ) {
        self.service = service
        self.id = id
        self.transport = transport
        self.consumer = consumer
        self.source = source
        self.messageID = messageID
        self.failureClass = failureClass
        self.code = code
        self.attempts = attempts
        self.state = state
        self.requeues = requeues
        self.requeueActs = requeueActs
        self.previous = previous
    }
}
