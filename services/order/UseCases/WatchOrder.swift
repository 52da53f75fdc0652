import Commerce
import DurableStore
import HTTPKit
import OrderCore

/// Follows the changes of status of an order.
struct WatchOrder: Sendable {
    /// What is new since a version.
    struct News: Sendable {
        let entries: [HistoryEntry]
        /// Whether nothing will follow.
        let isFinal: Bool
    }

    /// The most watchers at a time.
    static let maximumWatchers = 1_000

    let store: DurableStore
    let changes: ChangeSignal<OrderID>

    /// Begins to listen for changes of an order. Do it before the first look at the rows, so that nothing falls between.
    ///
    /// - Throws: ``UseCaseFault`` `too-many-watchers`.
    func ticket(for id: OrderID) throws -> ChangeSignal<OrderID>.Ticket {
        guard let ticket = changes.subscribe(to: id) else {
            throw UseCaseFault(
                .overloaded,
                code: "too-many-watchers",
                "Too many clients follow orders at the moment."
            )
        }
        return ticket
    }

    /// What happened after a version.
    ///
    /// - Throws: ``UseCaseFault`` `unknown-order`.
    func news(of id: OrderID, after version: Int64) async throws -> News {
        let news = try await store.read { db -> News? in
            guard let (status, _) = try OrderTable.status(of: id, in: db) else { return nil }
            return News(
                entries: try OrderHistory.entries(of: id, after: version, in: db),
                isFinal: status.isTerminal
            )
        }
        guard let news else { throw UseCaseFault.unknownOrder }
        return news
    }
}
