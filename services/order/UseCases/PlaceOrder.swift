public import Commerce
import DurableStore
import Failpoints
import Messaging
import OrderCore
import StrictJSON

/// Accepts an order: one unit of work, durable when it returns. Needs no broker.
public struct PlaceOrder: Sendable {
    /// What was answered.
    public struct Answer: Sendable, Hashable {
        /// The order.
        public let orderID: OrderID
        /// Its document as it was when it was accepted: the same bytes at each repetition.
        public let body: [UInt8]
        /// Whether the key had been answered before.
        public let isReplay: Bool
    }

    private let store: DurableStore
    private let process: OrderProcess
    private let inFlight = InFlightKeys()

    init(store: DurableStore, process: OrderProcess) {
        self.store = store
        self.process = process
    }

    /// Places an order, or repeats the answer that its key was given before.
    ///
    /// - Parameter traceparent: the trace of the request.
    /// - Throws: ``UseCaseFault`` `idempotency-key-reused`, `idempotency-key-in-flight`, or one of ``PricingFault``; a
    ///   `Failure` of the store, after which the request may be repeated with the same key.
    public func callAsFunction(
        _ request: PlacementRequest,
        key: IdempotencyKey,
        traceparent: String? = nil
    ) async throws -> Answer {
        // Checked before the store is asked, so that a flood of such requests costs the writer nothing.
        guard OrderLimits.lines.contains(request.lines.count) else {
            throw UseCaseFault(PricingFault(.lineCount, line: nil))
        }
        let fingerprint = try request.fingerprint()
        guard inFlight.claim(key) else { throw UseCaseFault.keyInFlight }
        defer { inFlight.release(key) }
        let answer = try await store.write { [process] tx in
            if let known = try IdempotencyTable.find(key.text, in: tx.db) {
                guard known.requestHash == fingerprint || Sabotage.isOn("request-hash-unchecked") else {
                    throw UseCaseFault.keyReused
                }
                return Answer(orderID: known.orderID, body: known.body, isReplay: true)
            }
            return try Self.place(request, key: key, fingerprint: fingerprint, traceparent: traceparent, process, tx)
        }
        Failpoints.reach("placement.before-answer", about: [answer.orderID.text])
        if answer.isReplay { process.metrics.replayed() }
        return answer
    }

    private static func place(
        _ request: PlacementRequest,
        key: IdempotencyKey,
        fingerprint: [UInt8],
        traceparent: String?,
        _ process: OrderProcess,
        _ tx: Transaction
    ) throws -> Answer {
        let priced: PricedLines
        do {
            priced = try PricedLines(request.lines) { try CatalogTable.article($0, in: tx.db) }
        } catch let fault as PricingFault {
            throw UseCaseFault(fault)
        }
        guard let id = OrderID(tx.newID()) else {
            throw Failure(.fatal, code: "id-source", "The source of identifiers gives something that is no UUID.")
        }
        let accepted = Order(
            accepted: id,
            customer: request.customer,
            card: request.card,
            priced: priced,
            at: tx.now
        )
        let order = try process.begin(accepted, cause: .noMessage(traceparent: traceparent), in: tx)
        let body = StrictJSON.encode(OrderDocument.value(order))
        if Sabotage.isOn("idempotency-key-not-stored") { return Answer(orderID: id, body: body, isReplay: false) }
        try IdempotencyTable.insert(
            IdempotencyRecord(requestHash: fingerprint, orderID: id, body: body),
            key: key.text,
            at: tx.now,
            in: tx.db
        )
        return Answer(orderID: id, body: body, isReplay: false)
    }
}
