import GRDB
import Messaging

/// One pass over records inside one unit: what was done, what holds its partition.
struct EventPass: Sendable {
    struct Done: Sendable {
        let index: Int
        let outcome: ProcessingObservation.Outcome
        var failure: Failure?
        var duration: Duration = .zero
    }

    struct Held: Sendable {
        let failure: Failure
        /// Attempts so far; 0 when none was counted.
        let attempts: Int
    }

    let consumer: String
    let handler: any MessageHandler
    let limits: EventProcessor.Limits
    private(set) var done: [Done] = []
    private(set) var held: [OffsetTable.Partition: Held] = [:]
    private(set) var fatal: Failure?
    private var next: [OffsetTable.Partition: Int64] = [:]

    init(consumer: String, handler: any MessageHandler, limits: EventProcessor.Limits) {
        self.consumer = consumer
        self.handler = handler
        self.limits = limits
    }

    /// Where a message stands in the log; `nil` if it does not come from one.
    static func position(of message: ReceivedMessage) -> (partition: OffsetTable.Partition, offset: Int64)? {
        guard case .record(let topic, let partition, let offset) = message.source else { return nil }
        return (OffsetTable.Partition(topic: topic, partition: partition), offset)
    }

    /// - Throws: when the store failed: then nothing of the pass is committed.
    mutating func run(_ records: [(index: Int, message: ReceivedMessage)], in transaction: Transaction) throws {
        for (index, message) in records {
            let position = Self.position(of: message)
            if let partition = position?.partition, held[partition] != nil { continue }
            guard let result = try handle(message, index, position, in: transaction) else {
                if fatal != nil { break }
                continue
            }
            done.append(result)
            if let position { next[position.partition] = position.offset + 1 }
        }
        for (partition, offset) in next {
            try OffsetTable.set(partition, next: offset, consumer: consumer, in: transaction.db)
        }
    }

    /// - Returns: `nil` when the record holds its partition or stops the process.
    private mutating func handle(
        _ message: ReceivedMessage,
        _ index: Int,
        _ position: (partition: OffsetTable.Partition, offset: Int64)?,
        in transaction: Transaction
    ) throws -> Done? {
        let start = ContinuousClock.now
        let envelope: Envelope
        switch message.envelope {
        case .success(let readable): envelope = readable
        case .failure(let fault):
            return try deadLetter(message, index, nil, Failure(classifying: fault), nil, in: transaction)
        }
        do {
            let outcome = try transaction.savepoint { try apply(envelope, in: transaction) }
            guard let outcome else {
                return try deadLetter(message, index, envelope, .messageIDReused, nil, in: transaction)
            }
            return Done(index: index, outcome: outcome, duration: ContinuousClock.now - start)
        } catch {
            guard transaction.db.isInsideTransaction, Failure.ofStore(error) == nil else { throw error }
            return try settle(
                message,
                index,
                envelope,
                Failure(classifyingStoreError: error),
                position,
                in: transaction
            )
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
        guard transaction.group.isNoOperation else { return .handled }
        try InboxTable.markNoOperation(envelope.id, consumer: consumer, in: transaction.db)
        return .noOperation
    }

    private mutating func settle(
        _ message: ReceivedMessage,
        _ index: Int,
        _ envelope: Envelope,
        _ failure: Failure,
        _ position: (partition: OffsetTable.Partition, offset: Int64)?,
        in transaction: Transaction
    ) throws -> Done? {
        switch failure.failureClass {
        case .permanent:
            try InboxTable.recordRefusal(
                envelope,
                consumer: consumer,
                code: failure.code,
                at: transaction.now,
                in: transaction.db
            )
            return Done(index: index, outcome: .refused, failure: failure)
        case .poison:
            return try deadLetter(message, index, envelope, failure, nil, in: transaction)
        case .retryable:
            guard let position else {
                return try deadLetter(message, index, envelope, failure, nil, in: transaction)
            }
            let attempts = try OffsetTable.countFailure(
                position.partition,
                offset: position.offset,
                consumer: consumer,
                at: transaction.now,
                in: transaction.db
            )
            guard attempts.count < limits.maximumAttempts else {
                try OffsetTable.clearFailures(position.partition, consumer: consumer, in: transaction.db)
                return try deadLetter(message, index, envelope, failure, attempts, in: transaction)
            }
            held[position.partition] = Held(failure: failure, attempts: attempts.count)
            return nil
        case .interrupted:
            if let position { held[position.partition] = Held(failure: failure, attempts: 0) }
            return nil
        case .fatal:
            fatal = failure
            return nil
        }
    }

    private func deadLetter(
        _ message: ReceivedMessage,
        _ index: Int,
        _ envelope: Envelope?,
        _ failure: Failure,
        _ attempts: OffsetTable.Attempts?,
        in transaction: Transaction
    ) throws -> Done {
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
                attempts: attempts?.count ?? 1,
                firstFailedAt: attempts?.firstFailedAt ?? transaction.now,
                failedAt: transaction.now,
                headers: message.headers,
                body: message.body,
                xDeath: nil,
                previousID: message.header(DeadLetterHeaders.previous),
                now: transaction.now
            ),
            in: transaction.db
        )
        return Done(index: index, outcome: .deadLettered, failure: failure)
    }
}
