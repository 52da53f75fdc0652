import Failpoints
import GRDB
import Messaging

extension DeadLetterDesk {
    /// Says what would come of requeueing a letter: the handler runs, and everything that it did is taken back.
    public func rehearse(_ id: String) async throws -> DeadLetterResult {
        try await store.rehearse { transaction in
            guard let letter = try DeadLetterTable.find(id, in: transaction.db) else { return .unknown }
            if let back = returns[letter.transport] {
                // Nobody can try what somebody else's server will answer; whether it would be asked can be told.
                let result = try give(letter, to: back, DeadLetterActor("rehearsal"), in: transaction)
                return result.kind == .done ? DeadLetterResult(.sent, code: result.code, result.sentence) : result
            }
            let envelope: Envelope
            switch sendable(letter, at: transaction.now) {
            case .failure(let refusal): return refusal.result
            case .success(let readable): envelope = readable
            }
            guard let handler = handlers[letter.consumer] else { return noHandler(letter) }
            return try rehearse(envelope, letter, handler, in: transaction).result
        }
    }

    /// One trial of a handler.
    struct Trial {
        let result: DeadLetterResult
        var failureClass: FailureClass?
        var kind: DeadLetterResult.Kind { result.kind }
    }

    private struct Rehearsed: Error {
        let result: DeadLetterResult
    }

    struct Refusal: Error {
        let result: DeadLetterResult
    }

    /// Runs the handler in a savepoint that is always taken back.
    func rehearse(
        _ envelope: Envelope,
        _ letter: DeadLetter,
        _ handler: any MessageHandler,
        in transaction: Transaction
    ) throws -> Trial {
        do {
            return try transaction.savepoint { () throws -> Trial in
                throw Rehearsed(result: try handle(envelope, as: noted(letter, handler), handler, in: transaction))
            }
        } catch let rehearsed as Rehearsed {
            return Trial(result: rehearsed.result)
        } catch {
            return try failed(error, in: transaction)
        }
    }

    /// The act itself, with its line in the journal.
    func requeue(
        _ id: String,
        _ actor: DeadLetterActor,
        job: String?,
        in transaction: Transaction
    ) throws -> DeadLetterResult {
        guard let letter = try DeadLetterTable.find(id, in: transaction.db) else { return .unknown }
        if let back = returns[letter.transport] {
            let result = try give(letter, to: back, actor, in: transaction)
            return try journal(.requeue, id, job: job, actor, result, in: transaction)
        }
        let result =
            switch sendable(letter, at: transaction.now) {
            case .failure(let refusal): refusal.result
            case .success(let envelope):
                letter.transport == Transport.amqp.rawValue
                    ? try send(letter, envelope, actor, in: transaction)
                    : try handleAgain(letter, envelope, actor, in: transaction)
            }
        Failpoints.reach("requeue.before-journal", about: [id])
        return try journal(.requeue, id, job: job, actor, result, in: transaction)
    }

    /// The message of a letter that may be sent again now.
    private func sendable(_ letter: DeadLetter, at now: Timestamp) -> Result<Envelope, Refusal> {
        guard letter.state == .held else { return .failure(Refusal(result: notHeld(letter))) }
        // Its headers can be read, but what it said is gone, and nothing is not what it said.
        let hasBody = letter.code != EnvelopeFault.oversizedBody.code || letter.editedFrom != nil
        guard letter.transport != "http", hasBody,
            let envelope = try? EnvelopeHeaders.decode(letter.headers, body: letter.body)
        else {
            return .failure(
                Refusal(
                    result: .impossible(
                        "not-requeueable",
                        "Only a readable message that came from an inbox or a topic can be sent back to it."
                    )
                )
            )
        }
        // An edited letter's message has a new id, which nobody can have seen before.
        let since = letter.editedFrom == nil ? letter.firstFailedAt : letter.recordedAt
        guard now.milliseconds(since: since) <= requeueWindow.wholeMilliseconds else {
            return .failure(
                Refusal(
                    result: .impossible(
                        "too-old",
                        "It failed so long ago that its id may be forgotten, and it could be handled twice; edit it to send it under a new id."
                    )
                )
            )
        }
        return .success(envelope)
    }

    /// Hands a letter back to whoever it came from. What comes of it is theirs to tell: if it fails again, the same letter is
    /// held again.
    private func give(
        _ letter: DeadLetter,
        to back: any DeadLetterReturn,
        _ actor: DeadLetterActor,
        in transaction: Transaction
    ) throws -> DeadLetterResult {
        guard letter.state == .held else { return notHeld(letter) }
        do {
            let departure = try transaction.savepoint {
                try mark(letter, actor, in: transaction)
                return try back.sendBack(letter, in: transaction)
            }
            return switch departure {
            case .onItsWay: DeadLetterResult(.done)
            case .waiting(let code, let sentence): DeadLetterResult(.done, code: code, sentence)
            case .alreadyArrived(let sentence): DeadLetterResult(.duplicate, code: "already-arrived", sentence)
            }
        } catch let failure as Failure where failure.failureClass == .permanent {
            return .impossible(failure.code, failure.description)
        }
    }

    private func notHeld(_ letter: DeadLetter) -> DeadLetterResult {
        .impossible("not-held", "The letter is \(letter.state.rawValue), not held.")
    }

    private func send(
        _ letter: DeadLetter,
        _ envelope: Envelope,
        _ actor: DeadLetterActor,
        in transaction: Transaction
    ) throws -> DeadLetterResult {
        if let handler = handlers[letter.consumer] {
            switch try InboxTable.look(envelope, consumer: noted(letter, handler), in: transaction.db) {
            case .new: break
            case .reused: return reused
            case .duplicate:
                try mark(letter, actor, in: transaction)
                return DeadLetterResult(.duplicate)
            }
        }
        var again = envelope
        again.attempt = 1
        try transaction.enqueue(
            OutgoingMessage(
                to: .inbox(letter.consumer),
                again,
                extraHeaders: [DeadLetterHeaders.previous: letter.id]
            )
        )
        try mark(letter, actor, in: transaction)
        return DeadLetterResult(.sent)
    }

    private func handleAgain(
        _ letter: DeadLetter,
        _ envelope: Envelope,
        _ actor: DeadLetterActor,
        in transaction: Transaction
    ) throws -> DeadLetterResult {
        guard let handler = handlers[letter.consumer] else { return noHandler(letter) }
        do {
            let result = try transaction.savepoint {
                try handle(envelope, as: noted(letter, handler), handler, in: transaction)
            }
            if result.kind != .impossible { try mark(letter, actor, in: transaction) }
            return result
        } catch {
            let trial = try failed(error, in: transaction)
            if trial.kind == .refused {
                try InboxTable.recordRefusal(
                    envelope,
                    consumer: noted(letter, handler),
                    code: trial.result.code ?? "refused",
                    at: transaction.now,
                    in: transaction.db
                )
                try mark(letter, actor, in: transaction)
            } else {
                try DeadLetterTable.recordFailure(
                    letter.id,
                    Failure(classifyingStoreError: error),
                    at: transaction.now,
                    in: transaction.db
                )
            }
            return trial.result
        }
    }

    /// As a processor does it: the note in the inbox first, then the handler.
    private func handle(
        _ envelope: Envelope,
        as consumer: String,
        _ handler: any MessageHandler,
        in transaction: Transaction
    ) throws -> DeadLetterResult {
        switch try InboxTable.claim(envelope, consumer: consumer, at: transaction.now, in: transaction.db) {
        case .new: break
        case .duplicate: return DeadLetterResult(.duplicate)
        case .reused: return reused
        }
        transaction.group.isNoOperation = false
        try handler.handle(envelope, in: transaction)
        guard transaction.group.isNoOperation else { return DeadLetterResult(.handled) }
        try InboxTable.markNoOperation(envelope.id, consumer: consumer, in: transaction.db)
        return DeadLetterResult(.noop)
    }

    /// What a handler's error means.
    ///
    /// - Throws: the error itself where the store failed, so that the unit is lost as a whole.
    private func failed(_ error: any Error, in transaction: Transaction) throws -> Trial {
        guard transaction.db.isInsideTransaction, Failure.ofStore(error) == nil else { throw error }
        let failure = Failure(classifyingStoreError: error)
        return Trial(
            result: DeadLetterResult(
                failure.failureClass == .permanent ? .refused : .failed,
                code: failure.code,
                failure.description
            ),
            failureClass: failure.failureClass
        )
    }

    /// The name under which ids of a letter's kind are noted: the processors' rule.
    private func noted(_ letter: DeadLetter, _ handler: any MessageHandler) -> String {
        letter.transport == Transport.amqp.rawValue ? handler.consumer : letter.consumer
    }

    private func mark(_ letter: DeadLetter, _ actor: DeadLetterActor, in transaction: Transaction) throws {
        _ = try DeadLetterTable.move(
            letter.id,
            from: [.held],
            to: .requeued,
            reason: actor.reason,
            at: transaction.now,
            in: transaction.db
        )
    }

    private var reused: DeadLetterResult {
        .impossible(
            "message-id-reused",
            "A message with this id and other content was handled; edit it to send it under a new id."
        )
    }

    private func noHandler(_ letter: DeadLetter) -> DeadLetterResult {
        .impossible("no-handler", "Nothing here handles messages of \(letter.consumer).")
    }
}
