import Failpoints
import GRDB
import Messaging

/// One attempt at a record of the event log: the note in the inbox first, then the handler, in a savepoint; what comes of a
/// failure that ends the record is a row of the same unit.
struct RecordTrial: Sendable {
    enum Result: Sendable {
        /// The record is done with.
        case done(ProcessingObservation.Outcome, Failure?)
        /// It may succeed later, and has attempts left.
        case again(Failure)
        /// Nothing was wrong with it; no attempt was used.
        case interrupted(Failure)
        /// The process must stop.
        case fatal(Failure)
    }

    let consumer: String
    let handler: any MessageHandler
    let maximumAttempts: Int

    /// The same with a single attempt.
    var once: RecordTrial { RecordTrial(consumer: consumer, handler: handler, maximumAttempts: 1) }

    /// - Parameters:
    ///   - failedAttempts: attempts that failed before this one.
    ///   - firstFailedAt: when the first of them did.
    /// - Throws: when the store failed: then nothing of the unit is committed.
    func run(
        _ message: ReceivedMessage,
        failedAttempts: Int = 0,
        firstFailedAt: Timestamp? = nil,
        in transaction: Transaction
    ) throws -> Result {
        let past = (attempts: failedAttempts + 1, firstFailedAt: firstFailedAt ?? transaction.now)
        let envelope: Envelope
        switch message.envelope {
        case .success(let readable): envelope = readable
        case .failure(let fault):
            return try deadLetter(message, nil, Failure(classifying: fault), past, in: transaction)
        }
        do {
            let outcome = try transaction.savepoint { try apply(envelope, in: transaction) }
            guard let outcome else { return try deadLetter(message, envelope, .messageIDReused, past, in: transaction) }
            return .done(outcome, nil)
        } catch {
            guard transaction.db.isInsideTransaction, Failure.ofStore(error) == nil else { throw error }
            return try settle(message, envelope, Failure(classifyingStoreError: error), past, in: transaction)
        }
    }

    /// - Returns: `nil` when the id was used before with other content.
    private func apply(_ envelope: Envelope, in transaction: Transaction) throws -> ProcessingObservation.Outcome? {
        switch try InboxTable.claim(envelope, consumer: consumer, at: transaction.now, in: transaction.db) {
        case .new: break
        case .duplicate: return .duplicate
        case .reused: return nil
        }
        transaction.group.isNoOperation = false
        try handler.handle(envelope, in: transaction)
        Failpoints.reach("events.after-handler", about: [envelope.subject])
        guard transaction.group.isNoOperation else { return .handled }
        try InboxTable.markNoOperation(envelope.id, consumer: consumer, in: transaction.db)
        return .noOperation
    }

    private func settle(
        _ message: ReceivedMessage,
        _ envelope: Envelope,
        _ failure: Failure,
        _ past: (attempts: Int, firstFailedAt: Timestamp),
        in transaction: Transaction
    ) throws -> Result {
        switch failure.failureClass {
        case .permanent:
            try InboxTable.recordRefusal(
                envelope,
                consumer: consumer,
                code: failure.code,
                at: transaction.now,
                in: transaction.db
            )
            return .done(.refused, failure)
        case .retryable where past.attempts < maximumAttempts: return .again(failure)
        case .poison, .retryable: return try deadLetter(message, envelope, failure, past, in: transaction)
        case .interrupted: return .interrupted(failure)
        case .fatal: return .fatal(failure)
        }
    }

    private func deadLetter(
        _ message: ReceivedMessage,
        _ envelope: Envelope?,
        _ failure: Failure,
        _ past: (attempts: Int, firstFailedAt: Timestamp),
        in transaction: Transaction
    ) throws -> Result {
        try DeadLetterTable.insert(
            DeadLetter(
                id: DeadLetterForm.identifier(message, consumer: consumer),
                transport: .kafka,
                consumer: consumer,
                source: message.source.description,
                envelope: envelope,
                failureClass: failure.failureClass.rawValue,
                code: failure.code,
                error: failure.description,
                attempts: past.attempts,
                firstFailedAt: past.firstFailedAt,
                failedAt: transaction.now,
                headers: message.headers,
                body: message.body,
                xDeath: nil,
                previousID: message.header(DeadLetterHeaders.previous),
                now: transaction.now
            ),
            in: transaction.db
        )
        return .done(.deadLettered, failure)
    }
}
