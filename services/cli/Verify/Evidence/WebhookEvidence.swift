import StrictJSON
public import Webhooks

/// The webhook sender's tables.
public struct WebhookEvidence: Sendable {
    /// Somebody who wants events, and is not deleted.
    public struct Endpoint: Sendable, Hashable {
        /// Its id.
        public var id: String
        /// When it was last said what it wants, in milliseconds since the Unix epoch; later is what comes after.
        public var unchangedSince: Int64
        /// Types, channels and filter; the rest is not read.
        public var settings: EndpointSettings

        /// Makes an endpoint that wants these types; with none, all of them.
        public init(id: String, unchangedSince: Int64, eventTypes: [String] = []) {
            self.id = id
            self.unchangedSince = unchangedSince
            settings = EndpointSettings(url: "")
            settings.eventTypes = eventTypes
        }

        /// Whether the type of an event says all about whether it is wanted.
        var choosesByTypeAlone: Bool { settings.channels.isEmpty && settings.filter == nil }

        /// Whether an event of this type is wanted, as far as the type can say.
        func wants(type: String) -> Bool {
            var byType = EndpointSettings(url: "")
            byType.eventTypes = settings.eventTypes
            return byType.wants(type, channels: []) { nil }
        }

        /// Whether an event whose type is wanted is wanted; `nil` when that cannot be told, because its content was erased.
        func wants(_ event: Event) -> Bool? {
            if OperationalEvents.isType(event.type) {
                // No endpoint is told about itself.
                guard let about = OperationalEvents.endpoint(of: event.document) else { return nil }
                return about != id
            }
            guard settings.channels.isEmpty || settings.channels.contains(where: event.channels.contains) else {
                return false
            }
            guard let filter = settings.filter else { return true }
            return event.document.map(filter.fits)
        }
    }

    /// What all its deliveries send.
    public struct Event: Sendable, Hashable {
        /// Its type.
        public var type: String
        /// Its channels.
        public var channels: [String]
        /// Whether a person asked one endpoint to be sent it.
        public var isTest: Bool
        /// When it was recorded, in milliseconds since the Unix epoch.
        public var recordedAt: Int64
        /// All of it as it was recorded, where somebody's wish depends on that; `nil` also when it was erased.
        public var body: [UInt8]?

        /// The same, read.
        var document: JSONValue? { body.flatMap { try? StrictJSON.parse($0) } }

        /// Makes an event.
        public init(
            type: String,
            channels: [String] = [],
            isTest: Bool = false,
            recordedAt: Int64,
            body: [UInt8]? = nil
        ) {
            self.type = type
            self.channels = channels
            self.isTest = isTest
            self.recordedAt = recordedAt
            self.body = body
        }
    }

    /// One event on its way to one endpoint.
    public struct Delivery: Sendable, Hashable {
        /// Its number.
        public var number: Int64
        /// The event: the `webhook-id`.
        public var event: String
        /// The endpoint.
        public var endpoint: String
        /// Where it stands, as text.
        public var state: String
        /// Attempts so far.
        public var attempts: Int64

        /// Makes a delivery.
        public init(number: Int64, event: String, endpoint: String, state: String, attempts: Int64) {
            self.number = number
            self.event = event
            self.endpoint = endpoint
            self.state = state
            self.attempts = attempts
        }
    }

    /// One request.
    public struct Attempt: Sendable, Hashable {
        /// The delivery.
        public var delivery: Int64
        /// 1, 2 … within the delivery.
        public var number: Int64
        /// `scheduled`, `manual`, `recovery` or `test`.
        public var trigger: String
        /// `started`, `succeeded`, `failed` or `interrupted`.
        public var state: String
        /// When its row was written, in milliseconds since the Unix epoch.
        public var startedAt: Int64
        /// When the next one was due after it, if one was.
        public var nextAt: Int64?

        /// Makes an attempt.
        public init(
            delivery: Int64,
            number: Int64,
            trigger: String,
            state: String,
            startedAt: Int64,
            nextAt: Int64? = nil
        ) {
            self.delivery = delivery
            self.number = number
            self.trigger = trigger
            self.state = state
            self.startedAt = startedAt
            self.nextAt = nextAt
        }
    }

    /// All deliveries that are still kept.
    public var deliveries: [Delivery]
    /// All attempts that are still kept, by delivery and number.
    public var attempts: [Attempt]
    /// The events that are kept, by their ids.
    public var events: [String: Event]
    /// Everybody who may want them.
    public var endpoints: [Endpoint] = []
    /// Endpoints that take deliveries now: enabled, not failing, not asking to wait.
    public var ready: Set<String> = []
    /// Whether old deliveries have been removed: what is missing then proves nothing.
    public var isPruned: Bool

    /// Makes evidence.
    public init(
        deliveries: [Delivery] = [],
        attempts: [Attempt] = [],
        events: [String: Event] = [:],
        isPruned: Bool = false
    ) {
        self.deliveries = deliveries
        self.attempts = attempts
        self.events = events
        self.isPruned = isPruned
    }
}

/// One request as the receiver of webhooks saw it.
public struct WebhookReceipt: Sendable, Hashable {
    /// The `webhook-id`; empty when the request could not be verified.
    public var event: String
    /// A digest of the body.
    public var digest: String
    /// Whether signature, timestamp and body fit together.
    public var isVerified: Bool
    /// The status that was answered; 0 for no answer.
    public var status: Int
    /// The endpoint as which the receiver is known to the sender, if it knows that.
    public var endpoint: String?

    /// Makes a receipt.
    public init(event: String, digest: String, isVerified: Bool, status: Int, endpoint: String? = nil) {
        self.event = event
        self.digest = digest
        self.isVerified = isVerified
        self.status = status
        self.endpoint = endpoint
    }
}
