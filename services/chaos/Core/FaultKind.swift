/// Every kind of fault that a chaos run knows.
public enum FaultKind: String, Sendable, Hashable, CaseIterable {
    // Processes of the services, one active and one standing by.
    case killActive = "kill-active"
    case killStandby = "kill-standby"
    case killBoth = "kill-both"
    case terminateActive = "terminate-active"
    case terminateStandby = "terminate-standby"
    case freezeActive = "freeze-active"
    case freezeStandby = "freeze-standby"
    case slowConsumer = "slow-consumer"
    case exhaustDescriptors = "exhaust-descriptors"
    case fillDisk = "fill-disk"
    // The card gateway.
    case killGateway = "kill-gateway"
    case terminateGateway = "terminate-gateway"
    case freezeGateway = "freeze-gateway"
    case fillGatewayDisk = "fill-gateway-disk"
    // The event log.
    case killEventLog = "kill-event-log"
    case terminateEventLog = "terminate-event-log"
    case freezeEventLog = "freeze-event-log"
    case fillEventLogDisk = "fill-event-log-disk"
    // RabbitMQ.
    case killRabbitMQ = "kill-rabbitmq"
    case restartRabbitMQ = "restart-rabbitmq"
    case freezeRabbitMQ = "freeze-rabbitmq"
    case blockPublishers = "block-publishers"
    case closeConnections = "close-connections"
    case deleteQueue = "delete-queue"
    // Links, through the proxies.
    case latency
    case bandwidth
    case stall
    case blackhole
    case oneWayCut = "one-way-cut"
    case resetConnections = "reset-connections"
    case refuseConnections = "refuse-connections"
    case flappingLink = "flapping-link"
    case slicedBytes = "sliced-bytes"
    case cutAfterBytes = "cut-after-bytes"
    case damagedFrames = "damaged-frames"
    // Messages.
    case duplicateMessages = "duplicate-messages"
    case reorderedMessages = "reordered-messages"
    case staleMessages = "stale-messages"
    case poisonedQueue = "poisoned-queue"
    case poisonedTopic = "poisoned-topic"
    // The outside.
    case forgedCallbacks = "forged-callbacks"
    case repeatedCallbacks = "repeated-callbacks"
    case lyingCallbacks = "lying-callbacks"
    case hostileSubscriber = "hostile-subscriber"
    case burst

    /// What a fault of this kind works on.
    public enum Scope: Sendable, Hashable {
        /// One of the services, by name.
        case service
        /// A service whose database lies on a disk that can be made full.
        case disk
        /// A part of which there is one.
        case part(Part)
        /// A part of which there is one and that keeps its data on a disk that can be made full.
        case partDisk(Part)
        /// A link between two processes.
        case link
        /// The inbox of one service.
        case inbox
        /// One topic of the event log.
        case topic
        /// Something outside: callers, callbacks, subscribers.
        case outside(String)
    }

    /// A part of which there is one.
    public enum Part: String, Sendable, Hashable, CaseIterable {
        case gateway
        case eventLog = "event-log"
        case rabbitMQ = "rabbitmq"
    }

    /// What it works on.
    public var scope: Scope {
        switch self {
        case .killActive, .killStandby, .killBoth, .terminateActive, .terminateStandby, .freezeActive, .freezeStandby,
            .slowConsumer, .exhaustDescriptors:
            .service
        case .fillDisk: .disk
        case .fillGatewayDisk: .partDisk(.gateway)
        case .fillEventLogDisk: .partDisk(.eventLog)
        case .killGateway, .terminateGateway, .freezeGateway: .part(.gateway)
        case .killEventLog, .terminateEventLog, .freezeEventLog: .part(.eventLog)
        case .killRabbitMQ, .restartRabbitMQ, .freezeRabbitMQ, .blockPublishers, .closeConnections: .part(.rabbitMQ)
        case .deleteQueue, .duplicateMessages, .reorderedMessages, .staleMessages, .poisonedQueue: .inbox
        case .latency, .bandwidth, .stall, .blackhole, .oneWayCut, .resetConnections, .refuseConnections, .flappingLink,
            .slicedBytes, .cutAfterBytes, .damagedFrames:
            .link
        case .poisonedTopic: .topic
        case .forgedCallbacks, .repeatedCallbacks, .lyingCallbacks: .outside("gateway callbacks")
        case .hostileSubscriber: .outside("webhook subscriber")
        case .burst: .outside("clients")
        }
    }

    /// How long it lasts before it is healed, in milliseconds. Zero where the blow is the whole fault.
    public var lasts: ClosedRange<Int64> {
        switch self {
        case .killActive, .killStandby, .killBoth, .terminateActive, .terminateStandby, .killGateway, .terminateGateway,
            .killEventLog, .terminateEventLog, .killRabbitMQ, .restartRabbitMQ, .closeConnections, .resetConnections,
            .deleteQueue, .poisonedQueue, .poisonedTopic, .forgedCallbacks, .repeatedCallbacks, .lyingCallbacks:
            0...0
        case .freezeActive, .freezeStandby, .freezeGateway: 1000...10_000
        case .freezeEventLog: 1000...6000
        case .freezeRabbitMQ: 2000...8000
        case .duplicateMessages, .reorderedMessages, .staleMessages: 1000...2500
        case .blockPublishers: 2000...5000
        case .fillDisk, .fillGatewayDisk, .fillEventLogDisk, .exhaustDescriptors, .slowConsumer: 2000...6000
        case .blackhole, .stall, .oneWayCut: 1000...7000
        case .latency, .bandwidth, .refuseConnections, .flappingLink, .slicedBytes, .cutAfterBytes, .damagedFrames:
            1000...5000
        case .hostileSubscriber: 3000...8000
        case .burst: 1000...2000
        }
    }

    /// How long after the blow or the heal nothing else is done to the same target, in milliseconds: it is coming back.
    public var settles: Int64 {
        switch self {
        case .killRabbitMQ, .restartRabbitMQ: 9000
        case .freezeRabbitMQ: 3000
        case .killBoth: 4000
        case .killActive, .terminateActive, .killEventLog, .terminateEventLog, .freezeActive, .killGateway: 2500
        case .deleteQueue, .blockPublishers: 2000
        default: 1000
        }
    }

    /// How many of them a full round holds.
    public var weight: Int {
        switch self {
        case .killActive: 4
        case .freezeActive, .terminateActive, .duplicateMessages, .resetConnections, .oneWayCut: 3
        case .blackhole, .latency, .stall, .killStandby, .slicedBytes, .flappingLink, .cutAfterBytes, .damagedFrames,
            .poisonedQueue, .hostileSubscriber, .forgedCallbacks, .repeatedCallbacks, .killGateway, .killEventLog,
            .reorderedMessages, .staleMessages, .burst:
            2
        default: 1
        }
    }

    /// Whether the target stops without saying so, and is only found out by its silence.
    public var isSilent: Bool {
        switch self {
        case .freezeActive, .freezeStandby, .freezeGateway, .freezeEventLog, .freezeRabbitMQ, .blackhole, .stall,
            .oneWayCut,
            .slowConsumer:
            true
        default: false
        }
    }
}
