import Failpoints
public import Kafka
public import Logging
public import Messaging
import Synchronization

/// The consumer loop's port to topics, with offsets that live in the reader's own database.
///
/// Partitions are assigned by hand from the offsets that were committed together with the effects, so a takeover needs no
/// group rebalance and no effect is ever without its offset. The offsets are also committed to the broker under the group's
/// name, at most once a second, where tools that show lag look for them; nothing reads them back, and nothing waits for
/// them.
///
/// A place that the log does not have ends the subscription with a fatal failure, `offset-out-of-range`, provided that
/// the consumer's `offsetReset` is `.fail`. Going on elsewhere would skip records or read others, and nobody would know.
///
/// A record that is given back holds its partition: reading resumes at that record after ``holdTime``.
public final class KafkaSubscription: Subscription {
    /// A record's place.
    public struct Receipt: Sendable, Hashable {
        let partition: KafkaTopicPartition
        let offset: Int64
    }

    /// How long a partition rests whose record was given back.
    public static let holdTime: Duration = .milliseconds(500)

    private struct State {
        var heldUntil: [KafkaTopicPartition: ContinuousClock.Instant] = [:]
        /// Partitions whose record was given back and was not acknowledged since.
        var held: Set<KafkaTopicPartition> = []
        var commits = CommitPace(at: .now)
    }

    private let consumer: KafkaConsumer
    private let logger: Logger
    private let state = Mutex(State())

    /// Makes the adapter; assigning partitions and `run()` of the consumer are the caller's business.
    public init(_ consumer: KafkaConsumer, logger: Logger) {
        self.consumer = consumer
        self.logger = logger
    }

    /// How many partitions do not move on because a record of theirs was given back.
    public var heldPartitions: Int { state.withLock { $0.held.count } }

    public func next(limit: Int) async throws -> [(receipt: Receipt, message: ReceivedMessage)] {
        while true {
            try Task.checkCancellation()
            await resumeHeld()
            commitIfDue()
            let records: [KafkaReceivedRecord]
            do {
                records = try await consumer.nextBatch(max: limit, wait: .milliseconds(250))
            } catch let error as KafkaError {
                if error.code == .closed { return [] }
                if error.isFatal { throw Failure(.fatal, code: "consumer-unusable", error.sentence) }
                if error.code == .autoOffsetReset || error.code == .offsetOutOfRange {
                    try await standstill(error)
                    continue
                }
                logger.warning("Reading from the event log failed; it is tried again.", metadata: ["error": "\(error)"])
                try await Task.sleep(for: .milliseconds(250))
                continue
            }
            guard !records.isEmpty else { continue }
            return records.map { record in
                (Receipt(partition: record.topicPartition, offset: record.offset), ReceivedMessage(record: record))
            }
        }
    }

    public func settle(_ settlements: [(receipt: Receipt, settlement: Settlement)]) async {
        var givenBack: [KafkaTopicPartition: Int64] = [:]
        for (receipt, settlement) in settlements where settlement == .giveBack {
            givenBack[receipt.partition] = min(givenBack[receipt.partition] ?? .max, receipt.offset)
        }
        state.withLock { state in
            for (receipt, settlement) in settlements where settlement == .acknowledge {
                // Offsets at or after one that was given back are read again; they do not count as reached.
                if let held = givenBack[receipt.partition], receipt.offset >= held { continue }
                state.held.remove(receipt.partition)
                state.commits.add(receipt.partition, next: receipt.offset + 1)
            }
            state.held.formUnion(givenBack.keys)
        }
        guard !givenBack.isEmpty else { return }
        do {
            let partitions = Array(givenBack.keys)
            try await consumer.pause(partitions)
            try await consumer.seek(
                givenBack.map { KafkaTopicPartitionOffset(topic: $0.topic, partition: $0.partition, offset: .at($1)) },
                timeout: .seconds(10)
            )
            let until = ContinuousClock.now + Self.holdTime
            state.withLock { state in
                for partition in partitions { state.heldUntil[partition] = until }
            }
        } catch {
            // Without the seek the records behind would be read next and the held one skipped: end, and start again from
            // the offsets in the database.
            logger.error("A partition could not be held; the consumer stops.", metadata: ["error": "\(error)"])
            consumer.shutdown()
        }
    }

    private func resumeHeld() async {
        let due = state.withLock { state in
            let now = ContinuousClock.now
            let due = state.heldUntil.filter { $0.value <= now }.map(\.key)
            for partition in due { state.heldUntil[partition] = nil }
            return due
        }
        guard !due.isEmpty else { return }
        do {
            try await consumer.resume(due)
        } catch {
            logger.error("A held partition could not be resumed; the consumer stops.", metadata: ["error": "\(error)"])
            consumer.shutdown()
        }
    }

    /// A partition stands still because the library could not place it. It says the same of a place that does not exist
    /// and of a question about the log's beginning that nobody answered, so the log is asked for its ends. Unless one of
    /// the places lies outside them, the consumer ends, and its owner begins again from the offsets in the database.
    ///
    /// - Throws: a ``Failure`` with the code `offset-out-of-range`, or `CancellationError`.
    private func standstill(_ error: KafkaError) async throws {
        logger.warning("A partition of the event log stands still.", metadata: ["error": "\(error)"])
        let lost: Failure?
        do {
            lost = try await lostPlace()
        } catch {
            logger.warning("The ends of the event log are not known.", metadata: ["error": "\(error)"])
            lost = nil
        }
        if let lost { throw lost }
        try await Task.sleep(for: .seconds(1))
        consumer.shutdown()
    }

    private func lostPlace() async throws -> Failure? {
        let places = try await consumer.positions().filter { $0.value >= 0 }
        let ends = try await consumer.watermarks(places.keys.sorted())
        for (partition, place) in places.sorted(by: { $0.key < $1.key }) {
            guard let end = ends[partition], place < end.low || place > end.high else { continue }
            return Failure(
                .fatal,
                code: "offset-out-of-range",
                """
                The reader is at offset \(place) of \(partition), but the event log has \(end.low) up to \(end.high): \
                records were removed before they were read, or the log is another copy. Restore the log; or, to go on with \
                the records that there are, stop the service and delete the partition's row from consumer_offsets.
                """
            )
        }
        return nil
    }

    private func commitIfDue() {
        let offsets = state.withLock { $0.commits.take(at: .now) }
        guard !offsets.isEmpty else { return }
        // Ends by itself: the consumer answers every commit, at the latest when it closes.
        Task {
            await commit(offsets)
            state.withLock { $0.commits.answered() }
        }
    }

    private func commit(_ offsets: [KafkaTopicPartition: Int64]) async {
        Failpoints.reach("offsets.before-commit")
        do {
            try await consumer.commit(offsets)
            Failpoints.reach("offsets.after-commit")
        } catch {
            logger.debug("Offsets could not be shown to the broker.", metadata: ["error": "\(error)"])
        }
    }
}
