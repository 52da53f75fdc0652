public import Messaging

/// How long messages may come back, and how long consumers remember the ids that they have handled.
///
/// A consumer that forgets an id while its message can still arrive would apply it twice. So ids are kept longer than the
/// longest way back: a dead letter is requeued at the end of its window, waits in a queue while its consumer is down, and
/// then goes through all retries.
public struct MessageLifetimes: Sendable, Hashable {
    /// How long consumers remember ids.
    public var inboxRetention: Duration
    /// How long after its failure a dead letter may be requeued under its own id.
    public var requeueWindow: Duration
    /// How long letters that were decided upon are kept.
    public var decidedRetention: Duration
    /// The longest time that a message may wait in a queue or in an outbox, because a broker or its consumer is down.
    public var longestOutage: Duration

    /// Makes lifetimes; see the properties.
    public init(
        inboxRetention: Duration,
        requeueWindow: Duration,
        decidedRetention: Duration,
        longestOutage: Duration
    ) {
        self.inboxRetention = inboxRetention
        self.requeueWindow = requeueWindow
        self.decidedRetention = decidedRetention
        self.longestOutage = longestOutage
    }

    /// Ids for 30 days, requeueing for 21, letters that were decided upon for 30, outages of 3.
    public static let standard = MessageLifetimes(
        inboxRetention: .seconds(30 * 86_400),
        requeueWindow: .seconds(21 * 86_400),
        decidedRetention: .seconds(30 * 86_400),
        longestOutage: .seconds(3 * 86_400)
    )

    /// The longest way on which a message can come back.
    public func longestWayBack(_ retry: RetryPolicy) -> Duration {
        let retries = retry.levels.reduce(Duration.zero) { $0 + $1.delay }
        // Once into the dead letters and, at the end of the window, once more through the queue and its retries.
        return requeueWindow + longestOutage + retries * 2
    }

    /// Checks that nothing can come back after its id is forgotten.
    ///
    /// - Throws: a ``Failure`` of class fatal, `retention-too-short`, with a sentence that says what to change.
    public func check(_ retry: RetryPolicy = .standard) throws(Failure) {
        let way = longestWayBack(retry)
        if inboxRetention < way {
            throw Failure(
                .fatal,
                code: "retention-too-short",
                """
                Consumers would forget ids after \(Self.text(inboxRetention)), but a message can come back after \
                \(Self.text(way)) (\(Self.text(requeueWindow)) until a dead letter is requeued, \
                \(Self.text(longestOutage)) of outage, then its retries) and would be handled twice: \
                keep ids longer or shorten the window for requeueing.
                """
            )
        }
        if decidedRetention < longestOutage {
            throw Failure(
                .fatal,
                code: "retention-too-short",
                """
                Letters that were decided upon would be deleted after \(Self.text(decidedRetention)), but a copy of one \
                can wait in its queue for \(Self.text(longestOutage)) and would then be held again: keep them longer.
                """
            )
        }
    }

    private static func text(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        let days = seconds / 86_400
        let hours = seconds % 86_400 / 3600
        let minutes = (seconds % 3600 + 59) / 60
        let parts = [
            days > 0 ? "\(days) d" : nil, hours > 0 ? "\(hours) h" : nil, minutes > 0 ? "\(minutes) min" : nil,
        ]
        .compactMap { $0 }
        return parts.isEmpty ? "0 min" : parts.joined(separator: " ")
    }
}
