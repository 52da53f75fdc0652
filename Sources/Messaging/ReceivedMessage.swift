/// Where a received message came from.
public enum MessageSource: Sendable, Hashable, CustomStringConvertible {
    /// An AMQP queue.
    case queue(String)
    /// A record of the event log.
    case record(topic: String, partition: Int32, offset: Int64)

    public var description: String {
        switch self {
        case .queue(let name): name
        case .record(let topic, let partition, let offset): "\(topic)/\(partition)@\(offset)"
        }
    }
}

/// A message as it arrived. Its envelope may be unreadable; its bytes are always there.
public struct ReceivedMessage: Sendable {
    /// Where it came from.
    public let source: MessageSource
    /// All headers as they came, values as text (bytes that are not UTF-8 are shown with replacement characters).
    public let headers: [(name: String, value: String)]
    /// The payload, byte for byte.
    public let body: [UInt8]
    /// What the headers say, or why they say nothing.
    public let envelope: Result<Envelope, EnvelopeFault>
    /// Whether the broker says that it delivered this message before.
    public let redelivered: Bool

    /// Makes a received message and reads its envelope.
    ///
    /// - Parameter fault: what makes the message unreadable whatever its headers say.
    public init(
        source: MessageSource,
        headers: [(name: String, value: String)],
        body: [UInt8],
        redelivered: Bool = false,
        fault: EnvelopeFault? = nil
    ) {
        self.source = source
        self.headers = headers
        self.body = body
        self.redelivered = redelivered
        if let fault {
            envelope = .failure(fault)
            return
        }
        do throws(EnvelopeFault) {
            envelope = .success(try EnvelopeHeaders.decode(headers, body: body))
        } catch {
            envelope = .failure(error)
        }
    }
}
