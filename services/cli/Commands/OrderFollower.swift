import Commerce
import HTTPKit
import StrictJSON
import Synchronization
import Terminal

/// Follows one order by server-sent events until it has ended.
///
/// The service ends its streams when it stops, and each after an hour: the end of a stream is not the end of the order, and the next stream
/// goes on behind the last event that was seen.
struct OrderFollower: Sendable {
    let session: Session
    let id: String

    /// How long a service that was there may be away before that is an error.
    private static let patience: Duration = .seconds(30)

    /// - Parameter show: called with each change of status.
    /// - Returns: the last status.
    func follow(_ show: @escaping @Sendable (JSONValue) -> Void) async throws(CommandEnd) -> String {
        let seen = Mutex((status: "", event: String?.none))
        let url = try session.url(of: "order") + "/v1/orders/\(escaped(id))/events"
        var awaySince: ContinuousClock.Instant?
        while true {
            do throws(CommandEnd) {
                try await session.follow(url, after: seen.withLock { $0.event }) { event in
                    guard let change = try? StrictJSON.parse(Array(event.data.utf8)) else { return true }
                    show(change)
                    let status = change["status"]?.stringValue ?? ""
                    seen.withLock { $0 = (status, event.id ?? $0.event) }
                    return !Self.isEnd(status)
                }
                awaySince = nil
            } catch {
                let since = awaySince ?? .now
                guard seen.withLock({ $0.event }) != nil, ContinuousClock.now - since < Self.patience else {
                    throw error
                }
                awaySince = since
            }
            let status = seen.withLock { $0.status }
            if Self.isEnd(status) { return status }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private static func isEnd(_ status: String) -> Bool { OrderStatus(rawValue: status)?.isTerminal ?? false }
}
