public import Messaging
public import StrictJSON

/// What a person decides about an endpoint.
public struct EndpointSettings: Sendable, Hashable {
    /// Where to.
    public var url: String
    /// For people.
    public var description: String
    /// Patterns of event types; empty means all.
    public var eventTypes: [String]
    /// Only events of at least one of these channels; empty means any.
    public var channels: [String]
    /// Only events whose document fits; `nil` means any.
    public var filter: ContentFilter?
    /// How much of an event is sent.
    public var payload: Payload
    /// How an event is laid out in a request.
    public var format: Format
    /// Whether the receiver has to agree before anything is sent (CloudEvents HTTP webhook 1.0.2, section 4).
    public var asksConsent: Bool
    /// Headers that are added to each request, by name.
    public var headers: [String: String]
    /// Labels for people and tools.
    public var metadata: [String: String]
    /// A name of the caller's own that no other endpoint has.
    public var uid: String?
    /// For one attempt, in milliseconds, 1…30,000.
    public var timeoutMilliseconds: Int
    /// Requests at the same time, 1…64.
    public var maximumInFlight: Int
    /// Requests per second, 1…10,000; `nil` for no limit.
    public var throttlePerSecond: Int?
    /// Whether the events of one subject wait for each other.
    public var ordering: Ordering
    /// What happens to a subject whose delivery was given up. Only with ``Ordering/key``.
    public var onExhausted: OnExhausted
    /// Statuses that end a delivery at once.
    public var terminalStatuses: Set<Int>
    /// Delays of its own, in milliseconds; `nil` for the sender's.
    public var schedule: [Int64]?
    /// How requests are signed.
    public var signs: Signing
    /// Failures in a row that open the breaker; 0 for no breaker, `nil` for the sender's number.
    public var breakerThreshold: Int?

    /// Order of deliveries.
    public enum Ordering: String, Sendable, CaseIterable {
        /// Best effort; `sequence` in the payload tells.
        case none
        /// Strictly one after the other per subject; a stuck one blocks only its own subject.
        case key
    }

    /// After the last attempt of an ordered delivery.
    public enum OnExhausted: String, Sendable, CaseIterable {
        /// The subject goes on with its next event.
        case skip
        /// The subject waits until a person resends or skips.
        case park
    }

    /// How much of an event is sent.
    public enum Payload: String, Sendable, CaseIterable {
        /// All of it.
        case full
        /// Only what it is about: `data` holds the subject's id, `dataref` says where the rest is.
        case thin
    }

    /// How an event is laid out in a request, as the HTTP binding of CloudEvents names it.
    public enum Format: String, Sendable, CaseIterable {
        /// One JSON document with everything, which is a Standard Webhook as well.
        case structured
        /// Attributes as headers `ce-…`, the body is the data alone.
        case binary
    }

    /// Which signatures a request bears.
    public enum Signing: String, Sendable, CaseIterable {
        case v1, v1a
        case both = "v1+v1a"
    }

    /// Settings with defaults.
    public init(url: String) {
        self.url = url
        description = ""
        eventTypes = []
        channels = []
        payload = .full
        format = .structured
        asksConsent = false
        headers = [:]
        metadata = [:]
        timeoutMilliseconds = 15_000
        maximumInFlight = 8
        ordering = .none
        onExhausted = .skip
        terminalStatuses = [410]
        signs = .v1
    }

    /// One wrong setting.
    public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
        /// The name as documents write it: `url`, `eventTypes[2]`, `headers.Host`.
        public let path: String
        /// Kebab-case.
        public let code: String
        /// One sentence.
        public let description: String

        init(_ path: String, _ description: String) {
            self.init(path, "invalid-value", description)
        }

        init(_ path: String, _ code: String, _ description: String) {
            self.path = path
            self.code = code
            self.description = description
        }
    }

    /// Everything that is wrong; empty when nothing is. Pure but for reading spellings of literal addresses.
    ///
    /// - Parameters:
    ///   - knownTypes: the types that exist; each pattern must fit at least one. `nil` accepts every pattern.
    ///   - policy: a URL with a literal address that must not be called is refused here already.
    public func faults(knownTypes: [String]?, policy: AddressPolicy) -> [Fault] {
        var faults: [Fault] = []
        func require(_ holds: Bool, _ path: String, _ sentence: String) {
            if !holds { faults.append(Fault(path, sentence)) }
        }
        do throws(WebhookURL.Fault) {
            let parsed = try WebhookURL(url)
            if policy.requiresTLS, !parsed.isSecure {
                faults.append(Fault("url", "https-required", "Only https can be called."))
            }
            if let literal = SystemResolver.literal(parsed.host), !policy.permits(literal) {
                faults.append(Fault("url", "blocked-address", "\(literal) must not be called."))
            }
        } catch {
            faults.append(Fault("url", "url-invalid", error.description))
        }
        require(description.utf8.count <= 1024, "description", "A description has at most 1,024 bytes.")
        require(eventTypes.count <= 100, "eventTypes", "An endpoint has at most 100 patterns.")
        for (index, text) in eventTypes.enumerated() {
            guard let pattern = EventTypePattern(text) else {
                faults.append(
                    Fault("eventTypes[\(index)]", "The pattern is made of names, points and stars: shop.order.*")
                )
                continue
            }
            if let knownTypes, !knownTypes.contains(where: pattern.matches) {
                faults.append(Fault("eventTypes[\(index)]", "unknown-event-type", "No event type fits \(text)."))
            }
        }
        require(
            channels.count <= 10 && channels.allSatisfy(Self.isName),
            "channels",
            "At most 10 channels of 1 to 128 visible ASCII characters."
        )
        require(
            headers.count <= CustomHeaders.maximumCount,
            "headers",
            "At most \(CustomHeaders.maximumCount) headers."
        )
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            if let sentence = CustomHeaders.fault(name: name, value: value) {
                faults.append(Fault("headers.\(name.prefix(64))", "header-invalid", sentence))
            }
        }
        require(
            metadata.count <= 32 && metadata.allSatisfy { $0.key.utf8.count <= 128 && $0.value.utf8.count <= 1024 },
            "metadata",
            "At most 32 labels of 128 and 1,024 bytes."
        )
        require(
            uid.map(Self.isName) ?? true,
            "uid",
            "A uid is 1 to 128 visible ASCII characters."
        )
        require((1...30_000).contains(timeoutMilliseconds), "timeoutMs", "A timeout is 1 to 30,000 milliseconds.")
        require((1...64).contains(maximumInFlight), "maxInFlight", "1 to 64 requests at the same time.")
        require(
            throttlePerSecond.map { (1...10_000).contains($0) } ?? true,
            "throttlePerSecond",
            "1 to 10,000 per second."
        )
        require(
            terminalStatuses.count <= 50 && terminalStatuses.allSatisfy { (300...599).contains($0) },
            "terminalStatuses",
            "At most 50 statuses from 300 to 599."
        )
        require(
            breakerThreshold.map { (0...1_000_000).contains($0) } ?? true,
            "breakerThreshold",
            "0 to 1,000,000 failures."
        )
        require(
            schedule.map { RetrySchedule(delays: $0) != nil } ?? true,
            "scheduleMs",
            "At most \(RetrySchedule.maximumDelays) delays of 0 to \(RetrySchedule.longestDelay) milliseconds."
        )
        return faults
    }

    /// Whether an event is wanted.
    ///
    /// - Parameters:
    ///   - type: the sender's own events (``OperationalEvents``) are wanted only by who names them.
    ///   - channels: the event's.
    ///   - document: the event as it is sent whole; asked for only when there is a filter.
    public func wants(_ type: String, channels: [String], document: () -> JSONValue?) -> Bool {
        if OperationalEvents.isType(type) {
            return eventTypes.contains {
                OperationalEvents.isType($0) && EventTypePattern($0)?.matches(type) ?? false
            }
        }
        guard eventTypes.isEmpty || eventTypes.contains(where: { EventTypePattern($0)?.matches(type) ?? false }),
            self.channels.isEmpty || self.channels.contains(where: channels.contains)
        else { return false }
        guard let filter else { return true }
        return document().map(filter.fits) ?? false
    }

    /// In which form deliveries that are made now carry their events.
    var form: DeliveryForm { DeliveryForm(isThin: payload == .thin, isBinary: format == .binary) }

    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}

/// An endpoint with what is known about it.
public struct WebhookEndpoint: Sendable, Hashable, Identifiable {
    /// A UUID of version 7.
    public let id: String
    /// What a person decided.
    public var settings: EndpointSettings
    /// Where it stands.
    public var state: EndpointState
    /// Nothing is sent before this, as the receiver asked.
    public var holdUntil: Timestamp?
    /// Keeps requests away while it fails.
    public var breaker: Breaker
    /// The first failure after the last success.
    public var failingSince: Timestamp?
    /// The last success.
    public var lastSuccessAt: Timestamp?
    /// Deliveries in a row that were given up; any success ends the row.
    public var exhaustedInRow = 0
    /// Requests per minute that the receiver agreed to; `nil` for any number.
    public var allowedPerMinute: Int?
    /// Rises with each journalled change, from 1.
    public var version: Int64
    /// When it was made.
    public let createdAt: Timestamp
    /// When it was changed.
    public var updatedAt: Timestamp
    var signingKey: String?

    /// The most requests per minute: what a person set and what the receiver agreed to; `nil` for no limit.
    public var perMinute: Int? {
        let own = settings.throttlePerSecond.map { $0 * 60 }
        return [own, allowedPerMinute].compactMap { $0 }.min()
    }

    /// The public key that verifies `v1a`; `nil` when the endpoint has none.
    public var publicKey: WebhookPublicKey? { signingKey.flatMap { WebhookSigningKey($0)?.publicKey } }
}
