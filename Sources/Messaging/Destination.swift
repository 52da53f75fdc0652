/// Where a message goes.
public enum Destination: Sendable, Hashable {
    /// An AMQP exchange and routing key. The publish is `mandatory`: a route must exist.
    case exchange(String, routingKey: String)
    /// A topic of the event log; the partition follows from the message's key.
    case topic(String)

    /// The exchange whose only queue is the inbox of a service, named alike: the receiver owns both.
    public static func inbox(_ name: String) -> Destination {
        .exchange(name, routingKey: name)
    }
}

/// Which relay carries a message.
public enum Transport: String, Sendable, CaseIterable {
    case amqp, kafka
}

extension Destination {
    /// The transport that serves this destination.
    public var transport: Transport {
        switch self {
        case .exchange: .amqp
        case .topic: .kafka
        }
    }
}

/// A message on its way out.
public struct OutgoingMessage: Sendable, Hashable {
    /// Where it goes.
    public var destination: Destination
    /// What it says.
    public var envelope: Envelope
    /// Headers beside the envelope's own, such as the reason on a dead letter. Names do not begin with `ce_`.
    public var extraHeaders: [String: String]
    /// How long the message may stay in its queue, in milliseconds; `nil` for ever. AMQP only.
    public var expirationMilliseconds: Int64?

    /// Makes an outgoing message; see the properties.
    public init(
        to destination: Destination,
        _ envelope: Envelope,
        extraHeaders: [String: String] = [:],
        expirationMilliseconds: Int64? = nil
    ) {
        self.destination = destination
        self.envelope = envelope
        self.extraHeaders = extraHeaders
        self.expirationMilliseconds = expirationMilliseconds
    }
}
