import Commerce
import HTTPKit
import StrictJSON
import Synchronization

/// Follows one order by server-sent events until it has ended.
struct OrderFollower: Sendable {
    let session: Session
    let id: String

    /// - Parameter show: called with each change of status.
    /// - Returns: the last status.
    func follow(_ show: @escaping @Sendable (JSONValue) -> Void) async throws(CommandEnd) -> String {
        let last = Mutex("")
        let url = try session.url(of: "order") + "/v1/orders/\(escaped(id))/events"
        try await session.follow(url) { event in
            guard let change = try? StrictJSON.parse(Array(event.data.utf8)) else { return true }
            show(change)
            let status = change["status"]?.stringValue ?? ""
            last.withLock { $0 = status }
            return !(OrderStatus(rawValue: status)?.isTerminal ?? false)
        }
        return last.withLock { $0 }
    }
}
