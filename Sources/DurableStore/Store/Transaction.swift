public import GRDB
public import Messaging

/// What one unit of work sees: the database, the time, ids, and the messages and deadlines that commit with it.
///
/// Lives within its unit, on the writer's thread; it must not be kept.
public struct Transaction {
    /// The writer's connection, inside the unit's savepoint. Use cached statements and bound parameters; never end the
    /// transaction. Where a part of the unit may fail alone use ``savepoint(_:)``, not GRDB's.
    public let db: Database
    /// The time of day, read once per unit.
    public let now: Timestamp
    let group: GroupContext

    /// A new identifier, a UUID of version 7 unless the store was given another source.
    public func newID() -> String { group.ids.next(at: now) }

    /// 64 random bits.
    public func random() -> UInt64 { group.random() }

    /// Writes a message to the outbox. The relay sends it after the commit, and only then.
    ///
    /// - Throws: what SQLite throws; the unit then fails.
    public func enqueue(_ message: OutgoingMessage) throws {
        let seq = try OutboxTable.insert(message, at: now, in: db)
        group.handover.append(PendingRow(seq: seq, attempts: 0, message: message))
    }

    /// Sets or moves a deadline. It fires once, in a unit of its own that also removes it, after a restart if need be.
    ///
    /// - Parameters:
    ///   - name: the kind of deadline; with `subject` it is the key, 1…128 bytes each.
    ///   - time: when it is due; a time in the past fires at once.
    public func setDeadline(_ name: String, for subject: String, at time: Timestamp) throws {
        try DeadlineTable.set(name, subject: subject, at: time, in: db)
        // The runner looks by itself often enough for all others.
        guard time.milliseconds(since: now) < DeadlineRunner.longestPause else { return }
        let wake = group.deadlineWake
        group.actions.append { wake.signal() }
    }

    /// Removes a deadline; nothing happens when there is none.
    public func clearDeadline(_ name: String, for subject: String) throws {
        try DeadlineTable.clear(name, subject: subject, in: db)
    }

    /// Runs an action after the commit; never after a rollback.
    ///
    /// It runs on the writer's thread and must be quick and must not block: typically it wakes a runner. A crash between
    /// the commit and the action loses the action, so rows must tell the same story.
    public func afterCommit(_ action: @escaping @Sendable () -> Void) {
        group.actions.append(action)
    }

    /// Notes that this message changed nothing, for the inbox row (`noop`).
    public func noteNoOperation() { group.isNoOperation = true }

    /// Runs a part of the unit that may fail alone: when it throws, its rows, messages and actions are gone and the error
    /// is thrown on.
    public func savepoint<T>(_ body: () throws -> T) throws -> T {
        try db.cachedStatement(sql: "SAVEPOINT store_part").execute()
        let mark = group.mark()
        do {
            let value = try body()
            try db.cachedStatement(sql: "RELEASE store_part").execute()
            return value
        } catch {
            group.truncate(to: mark)
            // A full disk or an I/O error may have ended the whole transaction; the writer looks at that itself.
            if db.isInsideTransaction {
                try db.cachedStatement(sql: "ROLLBACK TO store_part").execute()
                try db.cachedStatement(sql: "RELEASE store_part").execute()
            }
            throw error
        }
    }
}

/// What the units of one group leave for the time after the commit. Owned by the writer's thread.
final class GroupContext {
    let ids: any IDGenerator
    let random: @Sendable () -> UInt64
    let deadlineWake: WakeSignal
    var handover: [PendingRow] = []
    var actions: [@Sendable () -> Void] = []
    var isNoOperation = false

    init(ids: any IDGenerator, random: @escaping @Sendable () -> UInt64, deadlineWake: WakeSignal) {
        self.ids = ids
        self.random = random
        self.deadlineWake = deadlineWake
    }

    /// What the messages are about that leave with this group.
    var subjects: [String] { handover.map(\.message.envelope.subject) }

    func mark() -> (handover: Int, actions: Int) { (handover.count, actions.count) }

    func truncate(to mark: (handover: Int, actions: Int)) {
        handover.removeLast(handover.count - mark.handover)
        actions.removeLast(actions.count - mark.actions)
    }

    func reset() {
        handover.removeAll(keepingCapacity: true)
        actions.removeAll(keepingCapacity: true)
    }
}
