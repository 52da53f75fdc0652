public import DurableStore
import Messaging

/// Makes one delivery per endpoint that wants an event, in the caller's unit of work.
public struct WebhookFanout: Sendable {
    private let wake: @Sendable () -> Void

    /// Makes a fan-out.
    ///
    /// - Parameter wake: called after the commit; wakes the dispatcher.
    public init(wake: @escaping @Sendable () -> Void) {
        self.wake = wake
    }

    /// Records an event for everybody who wants it. An event that nobody wants is not kept; one that was recorded before is not
    /// recorded again.
    ///
    /// - Returns: how many deliveries were made.
    @discardableResult
    public func publish(_ event: WebhookEvent, in tx: Transaction) throws -> Int {
        let endpoints = try EndpointTable(db: tx.db).list().filter {
            $0.state != .pendingVerification && $0.settings.wants(event.type)
        }
        let deliveries = DeliveryTable(db: tx.db)
        guard !endpoints.isEmpty, try deliveries.insert(event, body: event.body(), isTest: false, at: tx.now) else {
            return 0
        }
        var count = 0
        for endpoint in endpoints {
            let isDisabled = endpoint.state.reason != nil
            let seq = try deliveries.insert(
                id: tx.newID(),
                message: event.id,
                endpoint: endpoint.id,
                type: event.type,
                orderingKey: endpoint.settings.ordering == .key ? event.subject : nil,
                state: isDisabled ? .skipped : .pending,
                trigger: .scheduled,
                at: tx.now
            )
            if seq != nil { count += 1 }
        }
        tx.afterCommit(wake)
        return count
    }
}
