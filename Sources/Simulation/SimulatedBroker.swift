public import Messaging

/// A message broker in memory, with the rules of RabbitMQ that matter here: quorum queues that keep what they confirmed,
/// deliveries that stay with their consumer until they are settled, waiting queues with a time to live, returned messages.
///
/// A plain value that belongs to the driver of a simulation. What goes wrong is the driver's decision.
public struct SimulatedBroker: Sendable {
    /// A message that the broker holds.
    public struct Stored: Sendable {
        /// Its place among all messages ever stored.
        public let number: Int
        /// What was published.
        public let message: OutgoingMessage
        /// Headers as they come with a delivery.
        public let headers: [(name: String, value: String)]
        /// Whether it was delivered before.
        public var isRedelivered = false
    }

    private struct Queue: Sendable {
        var ready: [Stored] = []
        var unacknowledged: [Stored] = []
        /// In order of their time.
        var waiting: [(due: Timestamp, stored: Stored)] = []
        var exists = true
    }

    private var queues: [Queue]
    private let names: [String]
    private var count = 0

    /// Makes a broker with these queues.
    ///
    /// - Parameter inboxes: for each, the queue of that name and `<name>.dead`; retries wait and come back to the first.
    public init(inboxes: [String]) {
        names = inboxes + inboxes.map { $0 + ".dead" }
        queues = names.map { _ in Queue() }
    }

    /// Every queue that consumers read.
    public var queueNames: [String] { names }

    /// Takes a message.
    ///
    /// - Parameter delay: how long it stays out of sight although it has arrived, in milliseconds.
    /// - Returns: `false` when no queue takes it: it is returned.
    public mutating func publish(_ message: OutgoingMessage, at now: Timestamp, delay: Int64 = 0) -> Bool {
        guard case .exchange(_, let routingKey) = message.destination else { return false }
        let wait: Int64
        let target: String
        if let range = routingKey.firstRange(of: ".retry.") {
            target = String(routingKey[..<range.lowerBound])
            wait = message.expirationMilliseconds ?? 0
        } else {
            target = routingKey
            wait = delay
        }
        guard let index = names.firstIndex(of: target), queues[index].exists else { return false }
        count += 1
        let headers =
            (EnvelopeHeaders.encode(message.envelope) + message.extraHeaders.map { ($0.key, $0.value) })
            .sorted { $0.name < $1.name }
        let stored = Stored(number: count, message: message, headers: headers)
        if wait > 0 {
            let due = now.advanced(byMilliseconds: wait)
            let place = queues[index].waiting.firstIndex { $0.due > due } ?? queues[index].waiting.endIndex
            queues[index].waiting.insert((due, stored), at: place)
        } else {
            queues[index].ready.append(stored)
        }
        return true
    }

    /// Puts bytes into a queue that no publisher of this system would write.
    public mutating func inject(
        _ message: OutgoingMessage,
        headers: [(name: String, value: String)],
        into queue: String
    ) {
        guard let index = names.firstIndex(of: queue) else { return }
        count += 1
        queues[index].ready.append(Stored(number: count, message: message, headers: headers))
    }

    /// Moves what has waited long enough to where it can be delivered.
    public mutating func release(at now: Timestamp) {
        for index in queues.indices {
            while let first = queues[index].waiting.first, first.due <= now {
                queues[index].ready.append(first.stored)
                queues[index].waiting.removeFirst()
            }
        }
    }

    /// When the next waiting message can be delivered.
    public var nextRelease: Timestamp? { queues.compactMap { $0.waiting.first?.due }.min() }

    /// Messages of a queue that can be delivered.
    public func readyCount(_ queue: String) -> Int { index(of: queue).map { queues[$0].ready.count } ?? 0 }

    /// Messages that are with a consumer.
    public func unacknowledgedCount(_ queue: String) -> Int {
        index(of: queue).map { queues[$0].unacknowledged.count } ?? 0
    }

    /// Whether nothing is in any queue.
    public var isEmpty: Bool {
        queues.allSatisfy { $0.ready.isEmpty && $0.unacknowledged.isEmpty && $0.waiting.isEmpty }
    }

    /// Delivers messages.
    ///
    /// - Parameters:
    ///   - limit: the most.
    ///   - start: where in the queue to begin: 0 unless the order is to be disturbed.
    public mutating func deliver(from queue: String, limit: Int, startingAt start: Int = 0) -> [Stored] {
        guard let index = index(of: queue), !queues[index].ready.isEmpty else { return [] }
        let start = min(max(start, 0), queues[index].ready.count - 1)
        let end = min(start + max(1, limit), queues[index].ready.count)
        let taken = Array(queues[index].ready[start..<end])
        queues[index].ready.removeSubrange(start..<end)
        queues[index].unacknowledged += taken
        return taken
    }

    /// A consumer is done with a delivery.
    public mutating func acknowledge(_ number: Int, in queue: String) {
        guard let index = index(of: queue) else { return }
        queues[index].unacknowledged.removeAll { $0.number == number }
    }

    /// A consumer gives a delivery back; it goes to the head of the queue.
    public mutating func requeue(_ number: Int, in queue: String) {
        guard let index = index(of: queue),
            let place = queues[index].unacknowledged.firstIndex(where: { $0.number == number })
        else { return }
        var stored = queues[index].unacknowledged.remove(at: place)
        stored.isRedelivered = true
        queues[index].ready.insert(stored, at: 0)
    }

    /// The consumers of a queue are gone: what was with them can be delivered again.
    ///
    /// - Returns: how many those were.
    @discardableResult
    public mutating func connectionLost(_ queue: String) -> Int {
        guard let index = index(of: queue) else { return 0 }
        let returned = queues[index].unacknowledged.map { stored in
            var stored = stored
            stored.isRedelivered = true
            return stored
        }
        queues[index].ready.insert(contentsOf: returned, at: 0)
        queues[index].unacknowledged = []
        return returned.count
    }

    /// Forgets everything in a queue.
    ///
    /// - Returns: how many messages those were.
    public mutating func wipe(_ queue: String) -> Int {
        guard let index = index(of: queue) else { return 0 }
        defer {
            queues[index].ready = []
            queues[index].unacknowledged = []
            queues[index].waiting = []
        }
        return queues[index].ready.count + queues[index].unacknowledged.count + queues[index].waiting.count
    }

    /// Deletes or declares a queue: while it does not exist, what is sent to it is returned.
    public mutating func set(_ queue: String, exists: Bool) {
        guard let index = index(of: queue) else { return }
        queues[index].exists = exists
    }

    private func index(of queue: String) -> Int? { names.firstIndex(of: queue) }
}
