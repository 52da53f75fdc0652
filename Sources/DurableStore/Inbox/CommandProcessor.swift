import Failpoints
public import Messaging

/// Handles messages of an AMQP inbox: each in a unit of its own, the units of a batch next to each other, so that they
/// share one commit.
///
/// ```
/// delivered ─► inbox row new? ─no, same content──────────────────────────────► acknowledge (duplicate)
///                 │        └──no, other content─► dead letter message-id-reused ─► acknowledge
///                 ▼ yes
///              handler ─ok─► effects + inbox row ────────────────────────────► acknowledge
///                 └─throws: everything rolled back, then by class
///                     permanent ─► inbox row `refused` ──────────────────────► acknowledge
///                     retryable ─► outbox row to a waiting queue, attempt + 1 ─► acknowledge
///                     retryable, last attempt; poison ─► outbox row to the dead-letter queue ─► acknowledge
///                     interrupted ─► give back          fatal ─► stop
///                     the store cannot write ─► tried again here, for minutes ─► give back
/// ```
/// A retry and a dead letter are outbox rows, so a crash at any point loses neither the message nor the count.
public struct CommandProcessor: MessageProcessor {
    private let store: DurableStore
    private let inbox: String
    private let handler: any MessageHandler
    private let retry: RetryPolicy
    private let observer: @Sendable (ProcessingObservation) -> Void
    private let pause: StorePause

    /// Makes a processor.
    ///
    /// - Parameters:
    ///   - inbox: the queue's name, `a.inbox`. Retries go to the exchange `<inbox>.retry` with the routing key
    ///     `<inbox>.retry.<level>`, dead letters to the exchange and queue `<inbox>.dead`.
    ///   - retry: delays and number of attempts.
    ///   - observer: told of each message after its commit; must not block.
    public init(
        store: DurableStore,
        inbox: String,
        handler: any MessageHandler,
        retry: RetryPolicy = .standard,
        observer: @escaping @Sendable (ProcessingObservation) -> Void = { _ in }
    ) {
        self.store = store
        self.inbox = inbox
        self.handler = handler
        self.retry = retry
        self.observer = observer
        pause = StorePause(store)
    }

    /// Handles each message in a unit of its own, as the graph above says.
    public func process(_ batch: [ReceivedMessage]) async -> [Verdict] { await process(batch, until: { false }) }

    /// Handles each message in a unit of its own, as the graph above says. While the store cannot write, for want of room
    /// on the disk say, the messages wait here and are tried again; they are given back after about five minutes, or when
    /// the end is asked for.
    public func process(_ batch: [ReceivedMessage], until isEnding: @Sendable () -> Bool) async -> [Verdict] {
        Failpoints.reach("inbox.before-handling", about: batch.subjects)
        if Sabotage.isOn("inbox-in-its-own-transaction") { await claimAhead(batch) }
        let units = batch.map { message in
            RecoverableUnit<Step>(
                run: { try handle(message, in: $0) },
                recover: { try recover(message, from: $0, in: $1) }
            )
        }
        // Told when the waiting begins, since it may be long, and not once more when it was in vain.
        var waited: Set<Int> = []
        let results = await pause.writeEach(units, until: isEnding) { index, failure in
            waited.insert(index)
            observe(batch[index], .givenBack, failure, .zero)
        }
        var storeFailure: Failure?
        let verdicts = zip(batch.indices, results).map { index, result -> Verdict in
            let message = batch[index]
            switch result {
            case .success(let step):
                observe(message, step.outcome, step.failure, step.duration)
                return .acknowledge
            case .failure(let error):
                let failure = Failure(classifyingStoreError: error)
                if failure.failureClass == .fatal {
                    observe(message, .stopped, failure, .zero)
                    return .stop(failure)
                }
                if failure.isOfStore { storeFailure = failure }
                if !waited.contains(index) { observe(message, .givenBack, failure, .zero) }
                return .giveBack(failure)
            }
        }
        await pause.afterBatch(storeFailure, until: isEnding)
        Failpoints.reach("inbox.before-ack", about: batch.subjects)
        return verdicts
    }

    /// What the guard against it is for: a crash between this and the effects loses the message.
    private func claimAhead(_ batch: [ReceivedMessage]) async {
        for message in batch {
            guard case .success(let envelope) = message.envelope else { continue }
            _ = try? await store.write {
                try InboxTable.claim(envelope, consumer: handler.consumer, at: $0.now, in: $0.db)
            }
        }
    }

    private struct Step: Sendable {
        let outcome: ProcessingObservation.Outcome
        var failure: Failure?
        var duration: Duration = .zero
    }

    private func handle(_ message: ReceivedMessage, in transaction: Transaction) throws -> Step {
        let start = ContinuousClock.now
        let envelope: Envelope
        switch message.envelope {
        case .success(let readable): envelope = readable
        case .failure(let fault): return try deadLetter(message, Failure(classifying: fault), in: transaction)
        }
        switch try InboxTable.claim(envelope, consumer: handler.consumer, at: transaction.now, in: transaction.db) {
        case .new: break
        case .duplicate:
            guard Sabotage.isOn("inbox-in-its-own-transaction"), !message.redelivered else {
                return Step(outcome: .duplicate)
            }
        case .reused: return try deadLetter(message, .messageIDReused, in: transaction)
        }
        transaction.group.isNoOperation = false
        try handler.handle(envelope, in: transaction)
        Failpoints.reach("inbox.after-handler", about: [envelope.subject])
        guard transaction.group.isNoOperation else {
            return Step(outcome: .handled, duration: ContinuousClock.now - start)
        }
        try InboxTable.markNoOperation(envelope.id, consumer: handler.consumer, in: transaction.db)
        return Step(outcome: .noOperation, duration: ContinuousClock.now - start)
    }

    private func recover(
        _ message: ReceivedMessage,
        from error: any Error,
        in transaction: Transaction
    ) throws -> Step {
        let failure = Failure(classifyingStoreError: error)
        guard case .success(let envelope) = message.envelope else { throw failure }
        switch failure.failureClass {
        case .permanent:
            try InboxTable.recordRefusal(
                envelope,
                consumer: handler.consumer,
                code: failure.code,
                at: transaction.now,
                in: transaction.db
            )
            return Step(outcome: .refused, failure: failure)
        case .retryable:
            guard let level = retry.level(afterFailedAttempt: envelope.attempt) else {
                return try deadLetter(message, failure, in: transaction)
            }
            if Sabotage.isOn("retry-dropped") { return Step(outcome: .retried, failure: failure) }
            let delay = retry.jitteredMilliseconds(at: level, random: transaction.random())
            try transaction.enqueue(
                DeadLetterForm.retry(
                    message,
                    envelope,
                    inbox: inbox,
                    level: level,
                    expirationMilliseconds: delay,
                    now: transaction.now
                )
            )
            return Step(outcome: .retried, failure: failure)
        case .poison: return try deadLetter(message, failure, in: transaction)
        case .fatal, .interrupted: throw failure
        }
    }

    private func deadLetter(
        _ message: ReceivedMessage,
        _ failure: Failure,
        in transaction: Transaction
    ) throws -> Step {
        if Sabotage.isOn("dead-letter-dropped") { return Step(outcome: .deadLettered, failure: failure) }
        try transaction.enqueue(
            DeadLetterForm.deadLetter(
                message,
                inbox: inbox,
                failure: failure,
                now: transaction.now,
                newID: transaction.newID
            )
        )
        return Step(outcome: .deadLettered, failure: failure)
    }

    private func observe(
        _ message: ReceivedMessage,
        _ outcome: ProcessingObservation.Outcome,
        _ failure: Failure?,
        _ duration: Duration
    ) {
        observer(
            ProcessingObservation(message, consumer: inbox, outcome: outcome, failure: failure, duration: duration)
        )
    }
}

extension [ReceivedMessage] {
    /// What the readable ones are about, for failpoints.
    var subjects: [String] { compactMap { try? $0.envelope.get().subject } }
}

extension ProcessingObservation {
    /// - Parameter attempt: which attempt this was, where the message itself does not say it.
    init(
        _ message: ReceivedMessage,
        consumer: String,
        attempt: Int? = nil,
        outcome: Outcome,
        failure: Failure?,
        duration: Duration
    ) {
        let envelope = try? message.envelope.get()
        self.init(
            consumer: consumer,
            source: message.source,
            type: envelope?.type,
            subject: envelope?.subject,
            messageID: envelope?.id,
            attempt: attempt ?? envelope?.attempt ?? 1,
            outcome: outcome,
            failure: failure,
            duration: duration
        )
    }
}

extension Failure {
    static let messageIDReused = Failure(
        .poison,
        code: "message-id-reused",
        "A message with this id and other content was handled before."
    )
}
