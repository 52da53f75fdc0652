import Logging
import Synchronization

/// Takes records out of the library's queue when somebody asks: that queue is the only buffer.
///
/// Owned by the consumer's `fetching` queue: `fetch` and `leave` run there or, at the end, when nothing runs there any more.
final class Fetcher: @unchecked Sendable {
    private let events: ClientEvents
    private let handler: (any KafkaRebalanceHandler)?
    private let maxBytes: Int
    /// A fault that came behind records: they are handed out first.
    private var held: KafkaError?
    private var lastTopic = ""

    /// Longest time in one call of the library, so that a wish to stop is seen even if its wake-up was used up by another.
    private static let sliceMilliseconds = 1_000

    init(events: ClientEvents, handler: (any KafkaRebalanceHandler)?, maxBytes: Int) {
        self.events = events
        self.handler = handler
        self.maxBytes = maxBytes
    }

    /// Waits up to `wait` for something, then takes what is there without waiting, at most `max` records.
    func fetch(
        _ client: RDKafkaClient,
        max: Int,
        wait: Duration,
        until isOver: () -> Bool
    ) throws(KafkaError) -> KafkaPoll {
        if let error = held {
            held = nil
            throw error
        }
        var poll = KafkaPoll()
        var bytes = 0
        let deadline = ContinuousClock.now + wait
        while poll.records.count < max, bytes < maxBytes, !isOver() {
            let left = poll.isEmpty ? (deadline - .now).wholeMilliseconds(0...Self.sliceMilliseconds) : 0
            guard let event = client.pollConsumer(milliseconds: left, lastTopic: &lastTopic) else {
                if !poll.isEmpty || ContinuousClock.now >= deadline { break }
                continue
            }
            switch event {
            case .record(let record):
                bytes += 128 + (record.value?.count ?? 0) + (record.key?.count ?? 0)
                poll.records.append(record)
            case .end(let partition, let offset):
                poll.ends[partition] = offset
            case .error(let error):
                guard mustBeSeen(error) else {
                    events.handle(error)
                    continue
                }
                events.logger.warning(
                    "Kafka partition fault",
                    metadata: [
                        KafkaLogKey.code: .string(error.code.description),
                        KafkaLogKey.sentence: .string(error.sentence),
                    ]
                )
                if poll.isEmpty { throw error }
                held = error
                return poll
            case .assigned(let partitions): adopt(partitions, client)
            case .revoked(let partitions, let lost): release(partitions, lost: lost, client)
            case .other: break
            }
        }
        if !poll.isEmpty { events.answered() }
        return poll
    }

    /// Faults that heal by themselves (connections, elections, a topic that is not there yet) are only reported to the observer.
    private func mustBeSeen(_ error: KafkaError) -> Bool {
        error.isFatal || !error.isRetriable
    }

    private func adopt(_ partitions: [KafkaTopicPartition], _ client: RDKafkaClient) {
        var places: [KafkaTopicPartition: KafkaOffset] = [:]
        for partition in partitions { places[partition] = .committed }
        for wish in handler?.assigned(partitions) ?? [] where places[wish.topicPartition] != nil {
            places[wish.topicPartition] = wish.offset
        }
        let fault = client.adopt(partitions.map { KafkaTopicPartitionOffset($0, places[$0] ?? .committed) })
        report(fault, "Kafka partitions assigned", partitions, lost: false)
    }

    private func release(_ partitions: [KafkaTopicPartition], lost: Bool, _ client: RDKafkaClient) {
        handler?.revoked(partitions, lost: lost)
        report(client.release(partitions), "Kafka partitions revoked", partitions, lost: lost)
    }

    private func report(
        _ fault: KafkaError?,
        _ message: Logger.Message,
        _ partitions: [KafkaTopicPartition],
        lost: Bool
    ) {
        if let fault { return events.handle(fault) }
        events.logger.info(
            message,
            metadata: [
                KafkaLogKey.partitions: .array(partitions.map { .string($0.description) }),
                KafkaLogKey.lost: .stringConvertible(lost),
            ]
        )
    }

    /// Leaves the group, answering its last rebalance; gives up at `deadline`. Records still queued are dropped: nobody took them.
    func leave(_ client: RDKafkaClient, by deadline: ContinuousClock.Instant) {
        let fault = client.closeConsumer(by: deadline) { event in
            switch event {
            case .assigned(let partitions): adopt(partitions, client)
            case .revoked(let partitions, let lost): release(partitions, lost: lost, client)
            case .record, .end, .error, .other: break
            }
        }
        if let fault { events.handle(fault) }
    }
}
