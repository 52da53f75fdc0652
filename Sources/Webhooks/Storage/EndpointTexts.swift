import StrictJSON
import Synchronization

/// The columns of an endpoint's row that hold JSON.
///
/// All rows are read for each event and one for each attempt, and they hardly ever change: what a row's texts say is kept by the
/// texts themselves, so that no change can be missed.
struct EndpointTexts: Hashable, Sendable {
    let eventTypes: String
    let headers: String
    let metadata: String
    let terminalStatuses: String
    let schedule: String?
    let channels: String
    let filter: String?

    /// What the texts say.
    struct Values: Sendable {
        let eventTypes: [String]
        let headers: [String: String]
        let metadata: [String: String]
        let terminalStatuses: Set<Int>
        let schedule: [Int64]?
        let channels: [String]
        let filter: ContentFilter?
    }

    private static let known = Mutex<[EndpointTexts: Values]>([:])

    /// What the texts say; `nil` when one of them cannot be read.
    var values: Values? {
        if let values = Self.known.withLock({ $0[self] }) { return values }
        guard let values = read() else { return nil }
        Self.known.withLock { known in
            // Not more than there can be endpoints; texts of endpoints that are gone leave with the others.
            if known.count >= WebhookAdministration.maximumEndpoints { known.removeAll() }
            known[self] = values
        }
        return values
    }

    private func read() -> Values? {
        guard let eventTypes: [String] = value(eventTypes), let headers: [String: String] = value(headers),
            let metadata: [String: String] = value(metadata), let terminalStatuses: Set<Int> = value(terminalStatuses),
            let channels: [String] = value(channels)
        else { return nil }
        var readFilter: ContentFilter?
        if let filter {
            guard let pattern = ContentFilter(text: filter) else { return nil }
            readFilter = pattern
        }
        return Values(
            eventTypes: eventTypes,
            headers: headers,
            metadata: metadata,
            terminalStatuses: terminalStatuses,
            schedule: schedule.flatMap { value($0) },
            channels: channels,
            filter: readFilter
        )
    }

    private func value<Value: Decodable>(_ text: String) -> Value? {
        try? StrictJSON.decode(Value.self, from: Array(text.utf8), limits: .message)
    }
}
