public import Commerce
import DurableStore
import HTTPKit
import Messaging
public import OrderCore

/// Tells how an order stands.
public struct OrderStatusQuery: Sendable {
    private let store: DurableStore

    init(store: DurableStore) {
        self.store = store
    }

    /// The order as it stands.
    ///
    /// - Throws: ``UseCaseFault`` `unknown-order`.
    public func callAsFunction(_ id: OrderID) async throws -> Order {
        let stored = try await store.read { db in try OrderTable.find(id, in: db) }
        guard let stored else { throw UseCaseFault.unknownOrder }
        return stored.order
    }
}

/// Lists orders, the newest first.
public struct ListOrders: Sendable {
    /// One page.
    public struct Page: Sendable {
        /// The orders.
        public let orders: [Order]
        /// Where the next page begins; `nil` on the last one.
        public let next: OrderID?
    }

    /// The permitted sizes of a page.
    public static let limits = 1...100
    /// The size of a page when none is asked for.
    public static let defaultLimit = 20

    private let store: DurableStore

    init(store: DurableStore) {
        self.store = store
    }

    /// A page.
    ///
    /// - Parameters:
    ///   - before: the last order of the page before.
    ///   - limit: held within ``limits``.
    public func callAsFunction(status: OrderStatus?, before: OrderID?, limit: Int = defaultLimit) async throws -> Page {
        let limit = min(max(limit, Self.limits.lowerBound), Self.limits.upperBound)
        // One more than asked for tells whether there is a next page.
        let found = try await store.read { db in
            try OrderTable.page(status: status, before: before, limit: limit + 1, in: db)
        }
        let orders = Array(found.prefix(limit))
        return Page(orders: orders, next: found.count > limit ? orders.last?.id : nil)
    }
}

/// Tells everything that happened to an order.
struct OrderTimeline: Sendable {
    /// What happened.
    struct Entries: Sendable {
        let order: Order
        let history: [HistoryEntry]
        let journal: [JournalEntry]
    }

    let store: DurableStore

    /// The order, its changes of status and its journal, from one snapshot.
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
