/// What went wrong, as a number: codes of the protocol are ≥ −1, codes of librdkafka are −200 … −100, ours are below −10,000.
///
/// A struct with named members rather than an enumeration, so that a code nobody listed here is still a value. The numbers are
/// those of the Kafka protocol's error table and of librdkafka's header.
public struct KafkaErrorCode: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The number.
    public let rawValue: Int32

    /// Any code.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    init(_ rawValue: Int32) { self.rawValue = rawValue }

    // MARK: ours

    /// The client was shut down, or its `run()` ended, before the call could be carried out.
    public static let closed = Self(-10_001)
    /// The calling task was cancelled.
    public static let cancelled = Self(-10_002)
    /// The client's `run()` was called a second time.
    public static let alreadyRunning = Self(-10_003)

    // MARK: librdkafka

    /// A received batch is damaged (for one, its checksum is wrong).
    public static let badMessage = Self(-199)
    /// The C library's handle is being destroyed.
    public static let destroyed = Self(-197)
    /// Connection refused, closed or broken.
    public static let transport = Self(-195)
    /// Out of threads or memory.
    public static let systemResource = Self(-194)
    /// A host name could not be resolved.
    public static let resolve = Self(-193)
    /// The record outlived the producer's message timeout.
    public static let messageTimedOut = Self(-192)
    /// The end of a partition was reached (not a fault).
    public static let partitionEOF = Self(-191)
    /// The partition does not exist.
    public static let unknownPartition = Self(-190)
    /// The topic does not exist.
    public static let unknownTopic = Self(-188)
    /// No broker can be reached.
    public static let allBrokersDown = Self(-187)
    /// An argument or setting is not acceptable.
    public static let invalidArgument = Self(-186)
    /// No answer in time.
    public static let timedOut = Self(-185)
    /// The C library's own send queue is full.
    public static let queueFull = Self(-184)
    /// The group's coordinator is not known yet.
    public static let waitCoordinator = Self(-180)
    /// The client is not in a state for this call.
    public static let wrongState = Self(-172)
    /// A partition has no stored offset.
    public static let noOffset = Self(-168)
    /// The broker does not offer what the call needs.
    public static let unsupportedFeature = Self(-165)
    /// Dropped from the send queue before it was sent.
    public static let purgedFromQueue = Self(-152)
    /// Given up while on its way; it may have arrived.
    public static let purgedInFlight = Self(-151)
    /// The C library's handle has raised a fault it cannot recover from.
    public static let fatal = Self(-150)
    /// The handle has broken because a batch was refused: what was behind it would have left a gap.
    public static let gaplessGuarantee = Self(-148)
    /// The reader did not ask for records for longer than the poll interval and has left its group.
    public static let maxPollExceeded = Self(-147)
    /// The partitions had already been given to another member of the group.
    public static let assignmentLost = Self(-142)
    /// Nothing needed to be done.
    public static let noOperation = Self(-141)
    /// The wanted offset does not exist and the reader asked not to be moved.
    public static let autoOffsetReset = Self(-140)

    // MARK: protocol

    /// An unexpected fault in the broker.
    public static let unknown = Self(-1)
    /// No error.
    public static let none = Self(0)
    /// The wanted offset is outside the partition.
    public static let offsetOutOfRange = Self(1)
    /// The broker found a damaged batch.
    public static let corruptMessage = Self(2)
    /// The broker does not know the topic or partition.
    public static let unknownTopicOrPartition = Self(3)
    /// An election is under way.
    public static let leaderNotAvailable = Self(5)
    /// Another broker leads the partition now.
    public static let notLeader = Self(6)
    /// The broker gave up waiting.
    public static let requestTimedOut = Self(7)
    /// A record or batch is above the broker's limit.
    public static let messageTooLarge = Self(10)
    /// The coordinator is still loading.
    public static let coordinatorLoading = Self(14)
    /// The coordinator is not there.
    public static let coordinatorNotAvailable = Self(15)
    /// Another broker coordinates the group.
    public static let notCoordinator = Self(16)
    /// The topic's name is not allowed.
    public static let invalidTopic = Self(17)
    /// The batch is above the segment size.
    public static let recordListTooLarge = Self(18)
    /// Too few replicas in sync; nothing was written.
    public static let notEnoughReplicas = Self(19)
    /// Too few replicas in sync; it was written on some.
    public static let notEnoughReplicasAfterAppend = Self(20)
    /// The member's generation is over.
    public static let illegalGeneration = Self(22)
    /// The group does not know the member.
    public static let unknownMember = Self(25)
    /// The group is rebalancing.
    public static let rebalanceInProgress = Self(27)
    /// Not allowed on this topic.
    public static let topicAuthorizationFailed = Self(29)
    /// Not allowed for this group.
    public static let groupAuthorizationFailed = Self(30)
    /// Not allowed on this cluster.
    public static let clusterAuthorizationFailed = Self(31)
    /// The topic exists already.
    public static let topicExists = Self(36)
    /// A gap in an idempotent producer's sequence.
    public static let outOfOrderSequence = Self(45)
    /// The batch had been written before.
    public static let duplicateSequence = Self(46)
    /// The broker's disk failed.
    public static let storageError = Self(56)
    /// The record itself is not acceptable to the broker.
    public static let invalidRecord = Self(87)

    /// Whether the same call can succeed later without anybody changing it: faults of connections, elections, loading, timeouts.
    public var isRetriable: Bool {
        switch self {
        case .transport, .systemResource, .resolve, .messageTimedOut, .allBrokersDown, .timedOut, .queueFull,
            .waitCoordinator,
            .purgedFromQueue, .purgedInFlight, .fatal, .gaplessGuarantee, .destroyed, .closed, .cancelled, .unknown,
            .corruptMessage,
            .unknownTopicOrPartition, .unknownTopic, .unknownPartition, .leaderNotAvailable, .notLeader,
            .requestTimedOut,
            .coordinatorLoading, .coordinatorNotAvailable, .notCoordinator, .notEnoughReplicas,
            .notEnoughReplicasAfterAppend,
            .illegalGeneration, .unknownMember, .rebalanceInProgress, .outOfOrderSequence, .storageError,
            .assignmentLost,
            .maxPollExceeded:
            true
        default:
            switch rawValue {
            // Transient states of the protocol's table without a member above: broker, replica, network, controller, epochs, rebalances.
            case 8, 9, 13, 41, 47, 49, 51, 52, 59, 74, 75, 77, 78, 79, 80, 83, 88: true
            default: false
            }
        }
    }

    /// The code's name, such as `_TRANSPORT` or `TOPIC_ALREADY_EXISTS`.
    public var description: String {
        switch self {
        case .closed: "closed"
        case .cancelled: "cancelled"
        case .alreadyRunning: "alreadyRunning"
        default: ErrorText.name(of: rawValue)
        }
    }

    /// The code in words.
    var sentence: String {
        switch self {
        case .closed: "The client was shut down."
        case .cancelled: "The calling task was cancelled."
        case .alreadyRunning: "The client's run() was called a second time."
        default: ErrorText.sentence(of: rawValue)
        }
    }
}
