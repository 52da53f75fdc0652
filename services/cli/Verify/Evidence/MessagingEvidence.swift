/// Outboxes and inboxes.
public struct MessagingEvidence: Sendable {
    /// A row of an outbox that still stands there.
    public struct OutboxRow: Sendable, Hashable {
        /// Whose outbox.
        public var service: String
        /// The message.
        public var messageID: String
        /// The topic for events, `nil` for commands and replies.
        public var topic: String?
        /// The aggregate.
        public var subject: String
        /// Its place, for events.
        public var sequence: Int64?
        /// Whether a broker confirmed it.
        public var published: Bool
        /// Why it is parked; `nil` when it is not.
        public var parked: String?

        /// Makes a row.
        public init(
            service: String,
            messageID: String,
            topic: String?,
            subject: String,
            sequence: Int64?,
            published: Bool,
            parked: String? = nil
        ) {
            self.service = service
            self.messageID = messageID
            self.topic = topic
            self.subject = subject
            self.sequence = sequence
            self.published = published
            self.parked = parked
        }
    }

    /// A row of an inbox.
    public struct InboxRow: Sendable, Hashable {
        /// Whose inbox.
        public var service: String
        /// The consumer within the service.
        public var consumer: String
        /// The message.
        public var messageID: String
        /// `handled`, `refused` or `noop`.
        public var outcome: String
        /// Digest of the type, subject and body that were handled; `nil` when it was not read.
        public var bodyHash: Int64?
        /// When it was taken in, in milliseconds since the Unix epoch.
        public var receivedAt: Int64 = 0

        /// Makes a row.
        public init(service: String, consumer: String, messageID: String, outcome: String) {
            self.service = service
            self.consumer = consumer
            self.messageID = messageID
            self.outcome = outcome
        }
    }

    /// A message that an effect names as its cause: an applied input of an order, say.
    public struct Effect: Sendable, Hashable {
        /// The service that had the effect.
        public var service: String
        /// The consumer within the service.
        public var consumer: String
        /// The message.
        public var messageID: String

        /// Makes an effect.
        public init(service: String, consumer: String, messageID: String) {
            self.service = service
            self.consumer = consumer
            self.messageID = messageID
        }
    }

    /// How far a consumer of the event log has come.
    public struct Offset: Sendable, Hashable {
        /// The service.
        public var service: String
        /// The consumer within the service.
        public var consumer: String
        /// The partition: `orders/3`.
        public var partition: String
        /// The offset of the next record that it will read.
        public var next: Int64

        /// Makes an offset.
        public init(service: String, consumer: String, partition: String, next: Int64) {
            self.service = service
            self.consumer = consumer
            self.partition = partition
            self.next = next
        }
    }

    /// All rows that still stand in an outbox.
    public var outbox: [OutboxRow]
    /// All rows of all inboxes.
    public var inbox: [InboxRow]
    /// Effects that name the message that caused them.
    public var effects: [Effect]
    /// Offsets of the consumers of the event log; `nil` when they were not read.
    public var offsets: [Offset]?
    /// Records of the event log that wait for another attempt of a consumer: `notification orders/3@12`.
    public var parked: Set<String> = []
    /// The oldest message, in milliseconds since the Unix epoch, that the inbox of each service still remembers; services that
    /// are missing remember all.
    public var remembersSince: [String: Int64] = [:]

    /// Makes evidence.
    public init(outbox: [OutboxRow] = [], inbox: [InboxRow] = [], effects: [Effect] = []) {
        self.outbox = outbox
        self.inbox = inbox
        self.effects = effects
    }
}
