public import Commerce
import DurableStore
import Failpoints
import Messaging
import OrderCore

/// Asks once more for whatever open orders wait for: after the broker lost its data, and with it commands and answers.
///
/// What was asked is known from the order's own state, not from the broker. Each command goes out under a new id, since the
/// receiver remembers the old one and would only absorb it; inventory and payment answer a command that they have carried
/// out before with what came of it then, so asking again can neither reserve nor charge twice.
public struct RepublishCommands: Sendable {
    /// What was asked for again.
    public struct Summary: Sendable, Hashable {
        /// One status: how many orders stand there, and how many commands go out for them.
        public struct Line: Sendable, Hashable {
            public let status: OrderStatus
            public fileprivate(set) var orders: Int
            public fileprivate(set) var commands: Int
        }

        /// In the order of the statuses.
        public fileprivate(set) var lines: [Line] = []
        /// Orders in all.
        public var orders: Int { lines.reduce(0) { $0 + $1.orders } }
        /// Commands in all.
        public var commands: Int { lines.reduce(0) { $0 + $1.commands } }

        fileprivate mutating func add(_ status: OrderStatus, commands: Int) {
            if let index = lines.firstIndex(where: { $0.status == status }) {
                lines[index].orders += 1
                lines[index].commands += commands
            } else {
                lines.append(Line(status: status, orders: 1, commands: commands))
            }
        }
    }

    /// The most orders of one unit of work.
    private static let page = 100

    private let store: DurableStore
    private let process: OrderProcess

    init(store: DurableStore, process: OrderProcess) {
        self.store = store
        self.process = process
    }

    /// Asks again for every open order, in bounded units. Orders that are placed meanwhile need it not, but may be included.
    ///
    /// - Parameter isDryRun: counts what would be asked for, and asks for nothing.
    /// - Throws: a `Failure` of the store. What was asked for before stays asked for; calling again is harmless.
    public func callAsFunction(isDryRun: Bool = false) async throws -> Summary {
        var summary = Summary()
        var last: OrderID?
        while true {
            let from = last
            let done =
                if isDryRun {
                    try await store.read { [process] db in
                        try OrderTable.waiting(after: from, limit: Self.page, in: db).map { stored in
                            (stored.order, try process.foresee(.republish, of: stored.order, at: store.clock.now()))
                        }
                    }
                } else {
                    try await store.write { [process] tx in
                        try OrderTable.waiting(after: from, limit: Self.page, in: tx.db).map { stored in
                            let commands = try process.foresee(.republish, of: stored.order, at: tx.now)
                            try process.happen(
                                .republish,
                                to: stored,
                                cause: .noMessage(traceparent: stored.traceparent),
                                in: tx
                            )
                            return (stored.order, commands)
                        }
                    }
                }
            if !isDryRun { Failpoints.reach("republish.after-page", about: done.map(\.0.id.text)) }
            for (order, commands) in done { summary.add(order.state.status, commands: commands) }
            last = done.last?.0.id
            if done.count < Self.page { return summary }
        }
    }
}
