/// A queue of our own behind an inbox's exchange. Beside the inbox it overhears what is sent to it; in its place it holds
/// the only copies, and then none may be lost, whatever fails.
struct MessageTap: Sendable {
    /// How much a tap holds.
    static let room = 2000
    /// How many overheard messages are taken out of it.
    static let heard = 120

    private let broker: any TapBroker
    private let inbox: String
    private let queue: String
    private let limit: Duration
    private let pause: Duration

    /// Names a tap; it is there from ``listen()`` or ``hold()`` on.
    ///
    /// - Parameters:
    ///   - inbox: the inbox queue, whose exchange and routing key have its name.
    ///   - number: the number of the fault.
    ///   - limit: how long it is tried to take the tap away. A broker that was just killed needs a while to start, and
    ///     while a tap is there the queues of a run are never empty.
    ///   - pause: how long to wait between two tries.
    init(
        _ broker: any TapBroker,
        inbox: String,
        fault number: Int,
        limit: Duration = .seconds(60),
        pause: Duration = .milliseconds(500)
    ) {
        self.broker = broker
        self.inbox = inbox
        queue = "chaos.tap.\(number)"
        self.limit = limit
        self.pause = pause
    }

    // MARK: - Copies

    /// Begins to listen in.
    /// - Throws: when that cannot be done; the tap is taken away then, since an answer that was lost may have been a yes.
    func listen() async throws(FaultRefusal) {
        do throws(FaultRefusal) {
            try await broker.makeTap(queue, room: Self.room, refusesWhenFull: false)
            try await broker.bind(queue, to: inbox)
        } catch {
            _ = try? await close()
            throw error
        }
    }

    /// Takes the tap away.
    ///
    /// - Returns: the first 120 that were overheard; none when the answer to the removal was lost.
    /// - Throws: when the time was too short.
    func close() async throws(FaultRefusal) -> [CapturedMessage] {
        let deadline = ContinuousClock.now + limit
        while true {
            do throws(FaultRefusal) {
                let copies = try await broker.look(Self.heard, into: queue)
                try await broker.removeTap(queue, ifEmpty: false)
                return copies
            } catch {
                guard ContinuousClock.now < deadline else { throw error }
                try? await Task.sleep(for: pause)
            }
        }
    }

    // MARK: - The only copies

    /// Cuts the inbox off: what is sent to it waits in the tap, and what the tap has no room for is refused, so that its
    /// sender keeps it. The tap comes first: a message without a route would come back to its sender.
    ///
    /// - Throws: when that cannot be done; what was held meanwhile is handed over then, as by ``release(_:)``.
    func hold() async throws(FaultRefusal) {
        do throws(FaultRefusal) {
            try await broker.makeTap(queue, room: Self.room, refusesWhenFull: true)
            try await broker.bind(queue, to: inbox)
            guard try await broker.isBound(inbox, to: inbox) else {
                throw FaultRefusal("\(inbox) is not bound just now")
            }
            try await broker.unbind(inbox, from: inbox)
        } catch {
            var random = ChaosRandom(seed: 0)
            _ = try? await release(&random)
            throw error
        }
    }

    /// Connects the inbox again, gives it in another order what was held, and takes the tap away. A try that fails is
    /// followed by another, and nothing leaves the tap before it is in the inbox: when this fails, even for good, it is in
    /// the one or in the other. What arrives twice the inbox absorbs.
    ///
    /// - Returns: what was held, in its old order.
    /// - Throws: when the time was too short, or when everything arrived and the inbox was not cut off to the end: its
    ///   service binds it again whenever it connects, and from then on it got everything in order.
    func release(_ random: inout ChaosRandom) async throws(FaultRefusal) -> [CapturedMessage] {
        let deadline = ContinuousClock.now + limit
        var wasBound: Bool?
        var all: [CapturedMessage] = []
        while true {
            do throws(FaultRefusal) {
                if wasBound == nil { wasBound = try await broker.isBound(inbox, to: inbox) }
                try await broker.bind(inbox, to: inbox)
                try await broker.unbind(queue, from: inbox)
                let held = try await broker.look(Self.room, into: queue)
                for message in Self.reordered(held, &random) { try await broker.publish(message) }
                // When an answer was lost the next try finds what it left, or nothing.
                if held.count > all.count { all = held }
                if !held.isEmpty { try await broker.discard(held.count, from: queue) }
                // Refused when something came in at the last moment: the next try finds it.
                try await broker.removeTap(queue, ifEmpty: true)
                break
            } catch {
                guard ContinuousClock.now < deadline else { throw error }
                try? await Task.sleep(for: pause)
            }
        }
        if wasBound == true { throw FaultRefusal("\(inbox) was bound again before its time") }
        return all
    }

    /// The messages in another order than theirs, when there are two that differ.
    static func reordered(_ messages: [CapturedMessage], _ random: inout ChaosRandom) -> [CapturedMessage] {
        let shuffled = messages.shuffled(using: &random)
        return shuffled == messages ? messages.reversed() : shuffled
    }
}

/// What a tap needs of a broker. What fails may have been done all the same; all but ``discard(_:from:)`` can be repeated.
protocol TapBroker: Sendable {
    /// Makes a queue with room for so many messages. When it is full it refuses what comes, or forgets its oldest.
    func makeTap(_ queue: String, room: Int, refusesWhenFull: Bool) async throws(FaultRefusal)
    /// Deletes a queue, when it is empty or whatever is in it. That there is none is fine.
    func removeTap(_ queue: String, ifEmpty: Bool) async throws(FaultRefusal)
    /// Whether a queue gets what is sent to an inbox.
    func isBound(_ queue: String, to inbox: String) async throws(FaultRefusal) -> Bool
    /// Gives a queue what is sent to an inbox.
    func bind(_ queue: String, to inbox: String) async throws(FaultRefusal)
    /// Gives it nothing more. That it got nothing is fine.
    func unbind(_ queue: String, from inbox: String) async throws(FaultRefusal)
    /// The first messages of a queue, which stay where they are; none when there is no such queue.
    func look(_ count: Int, into queue: String) async throws(FaultRefusal) -> [CapturedMessage]
    /// Takes the first messages out of a queue for good.
    func discard(_ count: Int, from queue: String) async throws(FaultRefusal)
    /// Puts a message into the inbox that it was sent to, past the exchange.
    func publish(_ message: CapturedMessage) async throws(FaultRefusal)
}
