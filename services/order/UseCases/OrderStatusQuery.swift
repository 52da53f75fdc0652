public import Commerce
import DurableStore
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
