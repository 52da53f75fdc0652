import Dispatch
public import Logging
import Synchronization

/// Publishes records: idempotent, acknowledged by all in-sync replicas, waiting for ever by default.
///
/// **Order.** Records are handed to librdkafka in the order of the calls, and within a call in the order of the array; with the same key
/// (and so the same partition) they are stored in that order, without gaps, for as long as the handle lives.
///
/// A record that is refused at once (too large, say) stops the later ones of its key in its call: they come back as
/// `notPersisted(.cancelled)`, which asks for another attempt. Records without a key, of other keys and of other calls go on. What the broker
/// itself refuses later stops nothing.
///
/// **Results.** `publish` returns when every record has its result. While brokers are away it simply waits: nothing is dropped.
///
/// **Bounds.** At most `maxMessagesInFlight` records and `maxBytesInFlight` bytes are with librdkafka; further calls wait (in order) before
/// their records are handed over.
///
/// **A fatal fault** of librdkafka (2.0 raises one where a lost answer is followed by an out-of-order refusal) ends the handle. The producer
/// then makes a new one by itself; everything unfinished comes back as `possiblyPersisted` or `notPersisted`, and the caller publishes it
/// again, in order. The new handle has a new producer id, so the broker cannot recognise repeats: **duplicates are possible**, and in the
/// worst case a record that did arrive stands before an earlier one that is published again. Readers drop repeats by event id.
///
/// **Cancellation** of the calling task returns at once; records already handed over are `possiblyPersisted` and may still arrive.
///
/// `run()` is the lifetime: calls made before it wait for it. All methods may be called from any task.
public final class KafkaProducer: Sendable {
    private let configuration: KafkaProducerConfiguration
    private let events: ClientEvents
    private let inbox = ProducerInboxBox()
    private let thread = DispatchQueue(label: "kafka.producer")

    /// Checks the configuration; starts nothing. Throws `invalidArgument` for a setting that librdkafka does not accept.
    public init(
        configuration: KafkaProducerConfiguration,
        logger: Logger,
        observer: (any KafkaObserver)? = nil
    ) throws(KafkaError) {
        _ = try RDKafkaConfiguration(settings: configuration.settings, extra: configuration.client.properties)
        self.configuration = configuration
        events = ClientEvents(clientID: configuration.client.clientID, logger: logger, observer: observer)
    }

    // MARK: lifetime

    /// Lives until `shutdown()` or cancellation, then waits up to `flushTimeout` for what is open. Throws only where librdkafka refuses
    /// to start.
    public func run() async throws(KafkaError) {
        if let refusal = inbox.state.withLock({ $0.start() }) { throw refusal }
        thread.async { [configuration, events, inbox] in
            let error = ProducerLoop(configuration: configuration, events: events, inbox: inbox).live()
            let (late, waiters) = inbox.state.withLock { $0.close(error) }
            for submission in late { submission.finish(error.map { .fatal($0.code) } ?? .notPersisted(.closed)) }
            events.finish()
            for waiter in waiters { waiter.resume(returning: error) }
        }
        let error = await withTaskCancellationHandler {
            await untilClosed()
        } onCancel: {
            shutdown()
        }
        if let error { throw error }
    }

    private func untilClosed() async -> KafkaError? {
        await withCheckedContinuation { continuation in
            if let answer = inbox.state.withLock({ $0.awaitClose(continuation) }) {
                continuation.resume(returning: answer)
            }
        }
    }

    /// Takes no more calls and asks for the end; `run()` returns when what is open is flushed or `flushTimeout` is over.
    public func shutdown() {
        guard case .close(let submissions, let waiters) = inbox.state.withLock({ $0.shutdown() }) else { return }
        for submission in submissions { submission.giveUp(.closed) }
        events.finish()
        for waiter in waiters { waiter.resume(returning: nil) }
    }

    // MARK: publishing

    /// Publishes records in order and waits for all results, which come in the order of the records.
    public func publish(_ records: [KafkaRecord]) async -> [KafkaPublishResult] {
        guard !records.isEmpty else { return [] }
        let id = inbox.state.withLock { $0.newID() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { caller in
                let submission = Submission(id: id, records: records, caller: caller)
                switch inbox.state.withLock({ $0.submit(submission) }) {
                case .wait:
                    // Cancelled before it was handed in: then the handler below has found nothing.
                    if Task.isCancelled { cancel(id) }
                case .refuse(let result): submission.finish(result)
                }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// Publishes one record and waits for its result.
    public func publish(_ record: KafkaRecord) async -> KafkaPublishResult {
        await publish([record]).first ?? .notPersisted(.closed)
    }

    private func cancel(_ id: UInt64) {
        if case .giveUp(let submission) = inbox.state.withLock({ $0.cancel(id) }) { submission.giveUp(.cancelled) }
    }

    // MARK: looking in

    /// Whether a broker can be reached.
    public var brokerState: KafkaBrokerState { events.state }

    /// The state now and each change; a slow reader sees only the newest. Ends with the client.
    public func brokerStates() -> AsyncStream<KafkaBrokerState> { events.states() }

    /// Counters as of the last turn of the producer's thread.
    public var metrics: KafkaProducerMetrics { inbox.state.withLock { $0.metrics } }

    /// Makes the library raise a fatal fault (for tests).
    func raiseFatalErrorForTesting(_ code: KafkaErrorCode) {
        inbox.state.withLock { $0.client?.raiseFatalErrorForTesting(code) }
    }
}
