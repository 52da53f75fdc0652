import Failpoints
import Foundation
import GRDB
public import Messaging

/// Where operators act on dead letters. Every act is one unit together with its line in the journal.
///
/// A letter from an AMQP inbox goes back to that inbox through the outbox; a letter from the event log is handled right
/// here, by the handler that failed, in the same unit. Either way the mark and the effect are committed together, so that
/// a letter is neither lost nor sent twice, wherever the process is killed.
public struct DeadLetterDesk: Sendable {
    let store: DurableStore
    let handlers: [String: any MessageHandler]
    let returns: [String: any DeadLetterReturn]
    let requeueWindow: Duration
    let wake = WakeSignal()

    /// Makes a desk.
    ///
    /// - Parameters:
    ///   - handlers: by the inbox or consumer in which letters failed. Without its handler a letter from the event log
    ///     cannot be requeued, and none can be rehearsed or edited.
    ///   - returns: by the transport of letters that came from elsewhere: `http`.
    ///   - requeueWindow: how long after its failure a letter may be sent back under its own id: no longer than consumers
    ///     remember ids, see ``MessageLifetimes``. Later it can be edited, which gives it a new one.
    public init(
        store: DurableStore,
        handlers: [String: any MessageHandler] = [:],
        returns: [String: any DeadLetterReturn] = [:],
        requeueWindow: Duration = MessageLifetimes.standard.requeueWindow
    ) {
        self.store = store
        self.handlers = handlers
        self.returns = returns
        self.requeueWindow = requeueWindow
    }

    /// Sends a held letter back to where it failed. Its attempts are counted from 1 again; if a letter of an inbox fails
    /// again, the new dead letter names this one.
    ///
    /// Doing it twice does it once: the second time the letter is not held any more.
    public func requeue(_ id: String, _ actor: DeadLetterActor) async throws -> DeadLetterResult {
        let result = try await store.write { try requeue(id, actor, job: nil, in: $0) }
        Failpoints.reach("requeue.before-answer", about: [id])
        return result
    }

    /// Gives a held letter up. It can be restored until it is purged.
    public func discard(_ id: String, _ actor: DeadLetterActor) async throws -> DeadLetterResult {
        try await store.write { transaction in
            guard let letter = try DeadLetterTable.find(id, in: transaction.db) else { return .unknown }
            let result =
                try move(letter, from: .held, to: .discarded, actor, in: transaction)
                ?? .impossible("not-held", "The letter is \(letter.state.rawValue), not held.")
            return try journal(.discard, letter.id, actor, result, in: transaction)
        }
    }

    /// Takes a discarded letter back. Refused while another version of it, made by editing, is held or was sent.
    public func restore(_ id: String, _ actor: DeadLetterActor) async throws -> DeadLetterResult {
        try await store.write { transaction in
            guard let letter = try DeadLetterTable.find(id, in: transaction.db) else { return .unknown }
            let result =
                if try DeadLetterTable.hasLiveVersion(of: id, in: transaction.db) {
                    DeadLetterResult.impossible(
                        "edited",
                        "Another version of this letter is held or was sent; discard that one first, or leave it at that."
                    )
                } else {
                    try move(letter, from: .discarded, to: .held, actor, in: transaction)
                        ?? .impossible("not-discarded", "The letter is \(letter.state.rawValue), not discarded.")
                }
            return try journal(.restore, letter.id, actor, result, in: transaction)
        }
    }

    /// Makes a copy of a held letter with another payload and discards the original. The copy has a new message id; who
    /// sent it, what it is about, its process and its trace stay as they are. It is held: requeueing it is another act.
    ///
    /// The handler must understand the payload: it is rehearsed first, and an edit that is poison again is refused. So is one of a
    /// letter that a ``DeadLetterReturn`` sends back, with that one's reason.
    public func edit(
        _ id: String,
        body: [UInt8],
        contentType: String? = nil,
        _ actor: DeadLetterActor
    ) async throws -> DeadLetterResult {
        try await store.write { transaction in
            guard let letter = try DeadLetterTable.find(id, in: transaction.db) else { return .unknown }
            let result = try edit(letter, body, contentType, actor, in: transaction)
            return try journal(.edit, letter.id, actor, result, in: transaction)
        }
    }

    /// Deletes letters that were requeued or discarded, in bounded batches, each with its line in the journal.
    ///
    /// - Parameters:
    ///   - filter: which; held letters are never deleted, whatever it says.
    ///   - decidedBefore: only letters that came into their state before this time.
    /// - Returns: how many were deleted.
    public func purge(
        _ filter: DeadLetterFilter,
        decidedBefore: Timestamp? = nil,
        _ actor: DeadLetterActor
    ) async throws -> Int {
        var total = 0
        while true {
            let count = try await store.write { transaction in
                let count = try DeadLetterTable.purge(
                    filter,
                    decidedBefore: decidedBefore,
                    limit: 500,
                    in: transaction.db
                )
                guard count > 0 else { return 0 }
                try DeadLetterActTable.add(
                    .purge,
                    by: actor,
                    outcome: String(count),
                    detail: filter.description,
                    at: transaction.now,
                    in: transaction.db
                )
                return count
            }
            total += count
            if count == 0 || Task.isCancelled { return total }
        }
    }

    func journal(
        _ verb: DeadLetterAct.Verb,
        _ id: String,
        job: String? = nil,
        _ actor: DeadLetterActor,
        _ result: DeadLetterResult,
        in transaction: Transaction
    ) throws -> DeadLetterResult {
        try DeadLetterActTable.add(
            verb,
            letter: id,
            job: job,
            by: actor,
            outcome: result.kind.rawValue,
            detail: result.detail,
            at: transaction.now,
            in: transaction.db
        )
        return result
    }

    private func move(
        _ letter: DeadLetter,
        from old: DeadLetter.State,
        to new: DeadLetter.State,
        _ actor: DeadLetterActor,
        in transaction: Transaction
    ) throws -> DeadLetterResult? {
        let isMoved = try DeadLetterTable.move(
            letter.id,
            from: [old],
            to: new,
            reason: actor.reason,
            at: transaction.now,
            in: transaction.db
        )
        return isMoved ? DeadLetterResult(.done) : nil
    }

    private func edit(
        _ letter: DeadLetter,
        _ body: [UInt8],
        _ contentType: String?,
        _ actor: DeadLetterActor,
        in transaction: Transaction
    ) throws -> DeadLetterResult {
        guard letter.state == .held else {
            return .impossible("not-held", "The letter is \(letter.state.rawValue), not held.")
        }
        if let refusal = returns[letter.transport]?.editRefusal {
            return .impossible(refusal.code, refusal.description)
        }
        guard var envelope = try? EnvelopeHeaders.decode(letter.headers, body: body) else {
            return .impossible("envelope-unreadable", "Its envelope cannot be read, so nobody knows what it is about.")
        }
        guard let handler = handlers[letter.consumer] else {
            return .impossible("no-handler", "Nothing here handles messages of \(letter.consumer).")
        }
        guard body != letter.body || contentType.map({ $0 != envelope.contentType }) ?? false else {
            return .impossible("edit-empty", "The payload is the same as before.")
        }
        envelope.id = transaction.newID()
        envelope.attempt = 1
        if let contentType { envelope.contentType = contentType }
        let trial = try rehearse(envelope, letter, handler, in: transaction)
        if trial.kind == .failed, trial.failureClass == .poison {
            return .impossible(
                "edit-invalid",
                "The handler would not understand it: \(trial.result.sentence ?? "it does not say why.")"
            )
        }
        let copy = DeadLetter(editing: letter, id: transaction.newID(), envelope: envelope, now: transaction.now)
        try DeadLetterTable.insert(copy, in: transaction.db)
        _ = try DeadLetterTable.move(
            letter.id,
            from: [.held],
            to: .discarded,
            reason: "edited as \(copy.id)" + (actor.reason.map { ": " + $0 } ?? ""),
            at: transaction.now,
            in: transaction.db
        )
        return DeadLetterResult(.done, code: trial.result.code, trial.result.sentence, newID: copy.id)
    }
}
