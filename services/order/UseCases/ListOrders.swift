public import Commerce
import DurableStore
public import OrderCore

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
