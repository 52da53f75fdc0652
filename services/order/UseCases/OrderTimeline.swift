import Commerce
import DurableStore
import OrderCore

/// Tells everything that happened to an order.
struct OrderTimeline: Sendable {
    /// What happened.
    struct Entries: Sendable {
        let order: Order
        let history: [HistoryEntry]
        let journal: [JournalEntry]
    }

    let store: DurableStore

    /// The order, its changes of status and its journal, of which only the last 1,000 entries, from one snapshot.
    ///
    /// - Throws: ``UseCaseFault`` `unknown-order`.
    func callAsFunction(_ id: OrderID) async throws -> Entries {
        let entries = try await store.read { db -> Entries? in
            guard let stored = try OrderTable.find(id, in: db) else { return nil }
            return Entries(
                order: stored.order,
                history: try OrderHistory.entries(of: id, after: 0, in: db),
                journal: try OrderJournal.entries(of: id, in: db)
            )
        }
        guard let entries else { throw UseCaseFault.unknownOrder }
        return entries
    }
}
