import Dispatch
import Logging
import Synchronization

/// The producer's thread: the only one that produces, polls and replaces the handle. Everything here but `inbox` belongs to it.
///
/// One turn: take what callers left, hand over as much as the window admits (in the order of the calls), wait for reports, settle them.
final class ProducerLoop {
    private let configuration: KafkaProducerConfiguration
    private let events: ClientEvents
    private let inbox: ProducerInboxBox
    private var client: RDKafkaClient?
    private var window: ProducerWindow
    private var inFlight = InFlightTable()
    /// Calls with records still to be handed over, oldest first.
    private var pending = Fifo<Submission>()
    /// All unfinished calls.
    private var open: [UInt64: Submission] = [:]
    private var backoff = RecreationBackoff()
    private var recreations = 0
    /// When the library's own queue refused; tried again after the next report or turn.
    private var isLibraryFull = false

    private static let turnMilliseconds = 250
    /// How long answers already on their way are waited for after a fatal fault, and again for the reports of a purge.
    private static let settleTime: Duration = .milliseconds(500)

    init(configuration: KafkaProducerConfiguration, events: ClientEvents, inbox: ProducerInboxBox) {
        self.configuration = configuration
        self.events = events
        self.inbox = inbox
        window = ProducerWindow(
            maxMessages: configuration.maxMessagesInFlight,
            maxBytes: configuration.maxBytesInFlight
        )
    }

    // MARK: life

    /// The whole life of the thread. Answers why it could not start, if so.
    func live() -> KafkaError? {
        do throws(KafkaError) {
            try connect()
        } catch {
            events.logger.error(
                "Kafka producer refused to start",
                metadata: [KafkaLogKey.sentence: .string(error.sentence)]
            )
            return error
        }
        var drainDeadline: ContinuousClock.Instant?
        while true {
            let isDraining = takeInbox()
            if isDraining, drainDeadline == nil { drainDeadline = .now + configuration.flushTimeout }
            handOver()
            publishMetrics()
            // Without a handle (stopped between two of them) nothing can be flushed.
            if let drainDeadline, client == nil || open.isEmpty || ContinuousClock.now >= drainDeadline { break }
            let wait = isDraining || isLibraryFull ? 20 : Self.turnMilliseconds
            if let fault = poll(firstWait: wait) { replace(fault) }
        }
        end()
        return nil
    }

    private func connect() throws(KafkaError) {
        let client = try RDKafkaClient(
            .producer,
            settings: configuration.settings,
            extra: configuration.client.properties,
            logLevel: events.libraryLogLevel
        )
        self.client = client
        inbox.state.withLock { $0.client = client }
    }

    private func takeInbox() -> Bool {
        let intake = inbox.state.withLock { $0.take() }
        for submission in intake.arrived { open[submission.id] = submission }
        pending.append(contentsOf: intake.arrived)
        for id in intake.cancelled {
            guard let submission = open.removeValue(forKey: id) else { continue }
            if !submission.isHandedOver { pending.removeAll { $0 === submission } }
            submission.giveUp(.cancelled)
        }
        return intake.isDraining
    }

    private func publishMetrics() {
        inbox.state.withLock { inbox in
            inbox.metrics.inFlightMessages = window.messages
            inbox.metrics.inFlightBytes = window.bytes
            inbox.metrics.waitingCalls = pending.count
            inbox.metrics.recreations = recreations
        }
    }

    // MARK: handing over

    private func handOver() {
        guard let client else { return }
        isLibraryFull = false
        while let submission = pending.first {
            while !submission.isHandedOver {
                let record = submission.records[submission.next]
                // Retriable: the caller decides about the refused one, and publishes these again after it.
                if submission.isStopped(record) {
                    submission.refused(.notPersisted(.cancelled))
                    continue
                }
                let bytes = record.windowBytes
                guard window.admits(bytes: bytes) else { return }
                let token = inFlight.insert(.init(submission: submission, index: submission.next, bytes: bytes))
                let code = client.produce(record, token: token)
                guard code != .none else {
                    window.add(bytes: bytes)
                    submission.handedOver()
                    continue
                }
                _ = inFlight.take(token)
                switch code {
                case .queueFull:
                    isLibraryFull = true
                    return
                case .fatal:
                    // The fault itself comes as an event; until then nothing more can be handed over.
                    return
                case .messageTooLarge: submission.refused(.tooLarge)
                default: submission.refused(.notPersisted(code))
                }
                submission.stop(record)
            }
            pending.removeFirst()
            if submission.isFinished { open[submission.id] = nil }
        }
    }

    // MARK: reports

    /// Waits for an event and deals with all that are there. Answers a fatal fault.
    private func poll(firstWait: Int, map: ((KafkaPublishResult) -> KafkaPublishResult)? = nil) -> KafkaError? {
        guard let client else { return nil }
        var wait = firstWait
        var fault: KafkaError?
        // Bounded, so that new calls are looked at in between.
        for _ in 0..<256 {
            guard let event = client.pollMain(milliseconds: wait) else { break }
            wait = 0
            switch event {
            case .deliveries(let deliveries): settle(deliveries, map: map)
            case .error(let error):
                events.handle(event)
                if error.isFatal { fault = error }
            case .log, .statistics, .offsetsCommitted, .other: events.handle(event)
            }
            if fault != nil { break }
        }
        return fault
    }

    private func settle(_ deliveries: [Delivery], map: ((KafkaPublishResult) -> KafkaPublishResult)?) {
        let results = deliveries.map { KafkaPublishResult($0) }
        // Before the calls return: who has published something sees that the broker is there.
        if results.contains(where: { $0.isPersisted }) {
            backoff.succeeded()
            events.answered()
        }
        for (delivery, result) in zip(deliveries, results) {
            guard let entry = inFlight.take(delivery.token) else { continue }
            window.remove(bytes: entry.bytes)
            entry.submission.settle(entry.index, map?(result) ?? result)
            if entry.submission.isFinished { open[entry.submission.id] = nil }
        }
    }

    // MARK: a fatal fault

    /// Ends the broken handle and makes a new one.
    ///
    /// Answers already on their way are still heard, so that what is persisted is told as such. Everything else is given up: what was handed
    /// over as possibly persisted, what was waiting as not persisted – also the waiting calls, since sending them now would overtake the
    /// ones that their callers are about to publish again.
    private func replace(_ fault: KafkaError) {
        events.logger.error(
            "Kafka producer broke and is being replaced",
            metadata: [
                KafkaLogKey.code: .string(fault.code.description), KafkaLogKey.sentence: .string(fault.sentence),
                KafkaLogKey.records: .stringConvertible(window.messages),
            ]
        )
        inbox.state.withLock { $0.client = nil }
        let asUnsure: (KafkaPublishResult) -> KafkaPublishResult = { result in
            switch result {
            case .persisted, .tooLarge, .fatal: result
            // What was refused for good stays refused: it may be why the handle broke.
            case .notPersisted(let code) where !code.isRetriable: result
            case .notPersisted, .possiblyPersisted: .possiblyPersisted(fault.code)
            }
        }
        drain(map: asUnsure)
        _ = takeInbox()
        // Whatever broke the handle, what was not sent yet has no part in it.
        let code = fault.code.isRetriable ? fault.code : .fatal
        for submission in open.values { submission.giveUp(code) }
        open.removeAll()
        _ = pending.takeAll()
        inFlight.removeAll()
        window.reset()
        // Waits for librdkafka's threads; this thread may.
        client = nil
        recreations += 1
        events.producerRecreated(reason: fault)
        reopen()
    }

    private func drain(map: ((KafkaPublishResult) -> KafkaPublishResult)?) {
        guard let client else { return }
        for isPurged in [false, true] where inFlight.count > 0 {
            if isPurged { client.purge() }
            let deadline = ContinuousClock.now + Self.settleTime
            while inFlight.count > 0, ContinuousClock.now < deadline {
                _ = poll(firstWait: 20, map: map)
            }
        }
    }

    private func reopen() {
        var wait = backoff.next()
        while true {
            let end = ContinuousClock.now + wait
            while ContinuousClock.now < end {
                // Shutdown must not wait for a backoff: the handle is only needed to send.
                if inbox.isDraining { return }
                Self.pause(milliseconds: (end - .now).wholeMilliseconds(1...50))
            }
            do throws(KafkaError) {
                return try connect()
            } catch {
                events.logger.error(
                    "Kafka producer could not be made again",
                    metadata: [KafkaLogKey.sentence: .string(error.sentence)]
                )
                wait = max(.milliseconds(100), backoff.next())
            }
        }
    }

    /// A wait on this thread, which may block.
    private static func pause(milliseconds: Int) {
        _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .milliseconds(milliseconds))
    }

    // MARK: the end

    private func end() {
        inbox.state.withLock { $0.client = nil }
        drain(map: nil)
        for submission in open.values { submission.giveUp(.closed) }
        open.removeAll()
        client = nil
    }
}

extension KafkaPublishResult {
    /// What a delivery report says.
    init(_ delivery: Delivery) {
        if delivery.code == .none || delivery.status == .persisted {
            self = .persisted(partition: delivery.partition, offset: delivery.offset)
        } else if delivery.status == .possiblyPersisted {
            // Whatever the last sending was answered: an earlier one may have been taken.
            self = .possiblyPersisted(delivery.code)
        } else if delivery.code == .messageTooLarge || delivery.code == .recordListTooLarge {
            self = .tooLarge
        } else {
            self = .notPersisted(delivery.code)
        }
    }
}

/// The inbox with its lock, shared by callers and the thread.
final class ProducerInboxBox: Sendable {
    let state = Mutex(ProducerInbox())

    var isDraining: Bool {
        state.withLock { inbox in
            if case .draining = inbox.phase { true } else { false }
        }
    }
}
