public import Commerce
import DurableStore
import Failpoints
public import OrderCore

/// Undoes an order that has not been paid and handed out yet.
public struct CancelOrder: Sendable {
    private let store: DurableStore
    private let process: OrderProcess

    init(store: DurableStore, process: OrderProcess) {
        self.store = store
        self.process = process
    }

    /// Begins to undo an order. Asking again, or for what is already undone, is granted and changes nothing.
    ///
    /// - Returns: the order afterwards.
    /// - Throws: ``UseCaseFault`` `unknown-order`, `too-late-to-cancel`, `order-final`; a `Failure` of the store.
    public func callAsFunction(_ id: OrderID, traceparent: String? = nil) async throws -> Order {
        let order = try await store.write { [process] tx in
            guard let stored = try OrderTable.find(id, in: tx.db) else { throw UseCaseFault.unknownOrder }
            do {
                return try process.happen(
                    .cancelRequested,
                    to: stored,
                    cause: .noMessage(traceparent: traceparent ?? stored.traceparent),
                    in: tx
                ).order
            } catch let refusal as OrderRefusal {
                throw UseCaseFault(refusal)
            }
        }
        Failpoints.reach("cancellation.before-answer", about: [id.text])
        return order
    }
}
