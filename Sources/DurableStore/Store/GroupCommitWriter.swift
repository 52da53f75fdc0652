import DequeModule
import Dispatch
import Failpoints
import Foundation
import GRDB
import Messaging
import Synchronization

/// The one thread that writes: takes what waits, runs each unit in its savepoint, commits all of them with one fsync,
/// then tells everyone. A unit that is alone in its group needs no savepoint: the whole transaction is its own.
///
/// ```
/// open ──close()──► closing ──queue empty──► closed
///   │ I/O error, damage │                      ▲
///   └───────────────────┴──► failed ──close()──┘  every unit is refused with the failure that was met
/// ```
/// Units that came while a group was being committed form the next group, so groups grow with the load.
final class GroupCommitWriter: Sendable {
    private enum Status {
        case open
        case closing
        case closed
        case failed(Failure)
    }

    private struct State {
        var status = Status.open
        var queue = Deque<WriteJob>()
        /// Whether the thread waits on the semaphore (and so must be signalled).
        var isIdle = false
        var closers: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())
    private let semaphore = DispatchSemaphore(value: 0)
    private let database: any DatabaseWriter
    private let configuration: DurableStoreConfiguration
    private let clock: any WallClock
    private let afterCommit: @Sendable ([PendingRow]) -> Void
    /// Set where the units run on the callers' threads; see ``runInline(_:)``.
    private let inline = Mutex<InlineContext?>(nil)

    /// - Parameter afterCommit: gets the outbox rows of each committed group, in order, before anyone is told.
    init(
        database: any DatabaseWriter,
        configuration: DurableStoreConfiguration,
        clock: any WallClock,
        afterCommit: @escaping @Sendable ([PendingRow]) -> Void
    ) {
        self.database = database
        self.configuration = configuration
        self.clock = clock
        self.afterCommit = afterCommit
    }

    /// Starts the thread.
    ///
    /// - Parameter makeContext: called on that thread, which owns what it returns.
    func start(makeContext: @escaping @Sendable () -> GroupContext) {
        let thread = Thread { self.loop(makeContext()) }
        thread.name = "store-writer"
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// Has every unit run in the call that queues it, on the caller's thread: for a simulation, which has one task.
    /// The connection is not closed with the writer.
    func runInline(_ context: GroupContext) {
        inline.withLock { $0 = InlineContext(context: context) }
    }

    /// Refuses everything from now on, queued units included.
    func abandon(_ failure: Failure) {
        state.withLock { $0.status = .failed(failure) }
    }

    private func drainInline() {
        guard let own = inline.withLock({ $0 }), own.begin() else { return }
        defer { own.end() }
        while true {
            let (group, refusal) = state.withLock { state -> ([WriteJob], Failure?) in
                let count = min(configuration.maximumBatch, state.queue.count)
                let group = Array(state.queue.prefix(count))
                state.queue.removeFirst(count)
                if case .failed(let failure) = state.status { return (group, failure) }
                return (group, nil)
            }
            guard !group.isEmpty else { return }
            if let refusal {
                for job in group { job.finish(groupFailure: refusal) }
            } else {
                commit(group, own.context)
            }
        }
    }

    /// Adds units at the end of the queue, together. Those that find no room or no open store fail at once.
    func enqueue(_ jobs: [WriteJob]) {
        let (accepted, refusal, wake) = state.withLock { state -> (Int, Failure?, Bool) in
            switch state.status {
            case .open: break
            case .closing, .closed: return (0, .storeClosed, false)
            case .failed(let failure): return (0, failure, false)
            }
            let room = min(jobs.count, max(0, configuration.maximumQueue - state.queue.count))
            state.queue.append(contentsOf: jobs.prefix(room))
            let wake = state.isIdle && room > 0
            if wake { state.isIdle = false }
            return (room, room < jobs.count ? .storeOverloaded : nil, wake)
        }
        if wake { semaphore.signal() }
        if let refusal {
            for job in jobs.dropFirst(accepted) { job.finish(groupFailure: refusal) }
        }
        drainInline()
    }

    /// Refuses new units, finishes the queued ones, closes the connections; `done` runs when that is over.
    func close(_ done: @escaping @Sendable () -> Void) {
        enum Next { case wait, wake, done }
        if inline.withLock({ $0 != nil }) {
            state.withLock { $0.status = .closed }
            done()
            return
        }
        let next = state.withLock { state -> Next in
            if case .closed = state.status { return .done }
            state.closers.append(done)
            switch state.status {
            case .open: state.status = .closing
            case .closing, .closed, .failed: break
            }
            guard state.isIdle else { return .wait }
            state.isIdle = false
            return .wake
        }
        switch next {
        case .wait: break
        case .wake: semaphore.signal()
        case .done: done()
        }
    }

    /// The failure after which the store refuses writes, if there was one.
    var failure: Failure? {
        state.withLock { state in
            if case .failed(let failure) = state.status { failure } else { nil }
        }
    }

    /// Units that wait for the writer.
    var queueDepth: Int { state.withLock { $0.queue.count } }

    private func loop(_ context: GroupContext) {
        var group: [WriteJob] = []
        while true {
            group.removeAll(keepingCapacity: true)
            let (mustClose, refusal) = state.withLock { state -> (Bool, Failure?) in
                let count = min(configuration.maximumBatch, state.queue.count)
                group.append(contentsOf: state.queue.prefix(count))
                state.queue.removeFirst(count)
                if case .failed(let failure) = state.status {
                    return (!state.closers.isEmpty && group.isEmpty, failure)
                }
                if case .closing = state.status { return (group.isEmpty, nil) }
                return (false, nil)
            }
            if mustClose { break }
            if group.isEmpty {
                // Another unit may have come since: only under the lock is the queue known to be empty.
                let idle = state.withLock { state -> Bool in
                    state.isIdle = state.queue.isEmpty && state.closers.isEmpty
                    return state.isIdle
                }
                if idle { semaphore.wait() }
            } else if let refusal {
                for job in group { job.finish(groupFailure: refusal) }
            } else {
                commit(group, context)
            }
        }
        closeDatabase()
        let closers = state.withLock { state in
            state.status = .closed
            defer { state.closers = [] }
            return state.closers
        }
        for closer in closers { closer() }
    }

    /// Closes the connections so that the database file is all that is left.
    ///
    /// The pool closes its writer before its readers, and SQLite leaves the log where the last connection may not write.
    /// So the readers go first: no read is under way inside the barrier, the log is copied into the file there, and the
    /// writer, which is then the last one, removes it. After a failure the files stay as they are: the next start reads them.
    private func closeDatabase() {
        if failure == nil, let pool = database as? DatabasePool {
            try? pool.barrierWriteWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
            pool.invalidateReadOnlyConnections()
        }
        try? database.close()
    }

    private func commit(_ group: [WriteJob], _ context: GroupContext) {
        context.reset()
        do {
            try database.writeWithoutTransaction { db in try runAndCommit(group, context, db) }
        } catch {
            let failure = Failure(classifyingStoreError: error)
            // Also while closing: the rest of the queue is refused then, and the files stay as they are.
            if failure.failureClass == .fatal { state.withLock { $0.status = .failed(failure) } }
            for job in group { job.finish(groupFailure: failure) }
            return
        }
        if !context.handover.isEmpty { afterCommit(context.handover) }
        for action in context.actions { action() }
        for job in group { job.finish(groupFailure: nil) }
    }

    /// - Throws: when nothing of the group is committed, or nobody knows.
    private func runAndCommit(_ group: [WriteJob], _ context: GroupContext, _ db: Database) throws {
        try step(.beforeBegin, context)
        let bounds = try UnitBounds(db, isAlone: group.count == 1)
        try bounds.beginGroup.execute()
        do {
            for job in group {
                try run(job, context, bounds, db)
                try step(.afterUnit, context)
            }
            if Sabotage.isOn("answer-before-commit") {
                for job in group { job.answerEarly() }
            }
            try step(.beforeCommit, context)
            try bounds.commitGroup.execute()
        } catch {
            if db.isInsideTransaction { try? db.rollback() }
            throw error
        }
        try step(.afterCommit, context)
    }

    /// A point where a crash matters, for two kinds of tests: those in one process are called and may throw or stop here
    /// (``DurableStoreConfiguration/onStep``), real processes can be made to die (``Failpoints``).
    private func step(_ step: StoreStep, _ context: GroupContext) throws {
        try configuration.onStep?(step)
        switch step {
        case .beforeBegin: Failpoints.reach("store.before-begin")
        case .afterUnit: Failpoints.reach("store.after-unit", about: context.subjects)
        case .beforeCommit: Failpoints.reach("store.before-commit", about: context.subjects)
        case .afterCommit: Failpoints.reach("store.after-commit", about: context.subjects)
        }
    }

    /// The statements around a group and around its units. Prepared once per connection, as every statement that is run for
    /// each group.
    private struct UnitBounds {
        private struct Savepoint {
            let begin: Statement
            let undo: Statement
            let release: Statement
        }

        let beginGroup: Statement
        let commitGroup: Statement
        /// `nil` where the only unit has the transaction for itself.
        private let savepoint: Savepoint?

        init(_ db: Database, isAlone: Bool) throws {
            beginGroup = try db.cachedStatement(sql: "BEGIN IMMEDIATE TRANSACTION")
            commitGroup = try db.cachedStatement(sql: "COMMIT TRANSACTION")
            savepoint =
                isAlone
                ? nil
                : Savepoint(
                    begin: try db.cachedStatement(sql: "SAVEPOINT store_unit"),
                    undo: try db.cachedStatement(sql: "ROLLBACK TO store_unit"),
                    release: try db.cachedStatement(sql: "RELEASE store_unit")
                )
        }

        func begin() throws { try savepoint?.begin.execute() }

        func release() throws { try savepoint?.release.execute() }

        /// Takes back what the unit did; afterwards it may do something else.
        func undo(_ db: Database) throws {
            if let savepoint { return try savepoint.undo.execute() }
            try db.rollback()
            try beginGroup.execute()
        }
    }

    /// - Throws: only when the whole group is lost.
    private func run(_ job: WriteJob, _ context: GroupContext, _ bounds: UnitBounds, _ db: Database) throws {
        try bounds.begin()
        let mark = context.mark()
        let transaction = Transaction(db: db, now: clock.now(), group: context)
        do {
            try job.run(transaction)
            if job.isRehearsal {
                context.truncate(to: mark)
                try undo(bounds, db)
            }
        } catch {
            try undoFailed(error, context, mark, bounds, db)
            if let failure = Failure.ofStore(error) {
                job.fail(failure)
            } else {
                do {
                    try job.recover(from: error, transaction)
                } catch let second {
                    try undoFailed(second, context, mark, bounds, db)
                    job.fail(Failure.ofStore(second) ?? second)
                }
            }
        }
        guard db.isInsideTransaction else { throw Failure.transactionEnded }
        try bounds.release()
    }

    private func undoFailed(
        _ error: any Error,
        _ context: GroupContext,
        _ mark: (handover: Int, actions: Int),
        _ bounds: UnitBounds,
        _ db: Database
    ) throws {
        context.truncate(to: mark)
        // Errors such as a full disk may roll the whole transaction back, https://www.sqlite.org/lang_transaction.html
        // section 3: then the units before this one are gone as well.
        guard db.isInsideTransaction else { throw error is DatabaseError ? error : Failure.transactionEnded }
        if let database = error as? DatabaseError, Failure(classifyingStoreError: database).failureClass == .fatal {
            throw database
        }
        try undo(bounds, db)
    }

    private func undo(_ bounds: UnitBounds, _ db: Database) throws {
        guard db.isInsideTransaction else { throw Failure.transactionEnded }
        if Sabotage.isOn("failed-unit-not-rolled-back") { return }
        try bounds.undo(db)
    }
}

/// The context of a writer without a thread.
///
/// `@unchecked`: a simulation calls from one task; `isDraining` keeps a unit's own calls from running inside it.
private final class InlineContext: @unchecked Sendable {
    let context: GroupContext
    private var isDraining = false

    init(context: GroupContext) { self.context = context }

    func begin() -> Bool {
        defer { isDraining = true }
        return !isDraining
    }

    func end() { isDraining = false }
}

extension Failure {
    static let storeClosed = Failure(.interrupted, code: "store-closed", "The store is closed.")
    static let storeOverloaded = Failure(
        .retryable,
        code: "store-overloaded",
        "Too many units of work wait for the writer."
    )
    static let transactionEnded = Failure(
        .fatal,
        code: "store-transaction-ended",
        "A unit of work ended the transaction that it shares with others."
    )
}
