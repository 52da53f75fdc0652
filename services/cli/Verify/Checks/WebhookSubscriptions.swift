import Commerce
import Webhooks

/// W1 seen from the endpoints: everybody got what they asked for, and nothing else.
///
/// What an endpoint wants is what its settings say now, so only events after their last change are held against them. Which of the two
/// came first is told by the clock of the notification service: whoever sets it back and then changes an endpoint sees the events in
/// between judged by the new settings. Nothing is said once old deliveries have been removed.
struct WebhookSubscriptions {
    private let webhooks: WebhookEvidence

    init(_ webhooks: WebhookEvidence) {
        self.webhooks = webhooks
    }

    /// - Parameter evidence: for the events of which the inbox says that nobody wanted them.
    func violations(_ evidence: Evidence) -> [String] {
        guard !webhooks.isPruned, !webhooks.endpoints.isEmpty else { return [] }
        return recorded() + passedOver(evidence)
    }

    /// Events that are kept, against the deliveries that were made of them.
    private func recorded() -> [String] {
        var receivers: [String: Set<String>] = [:]
        for delivery in webhooks.deliveries { receivers[delivery.event, default: []].insert(delivery.endpoint) }
        var violations: [String] = []
        for (id, event) in webhooks.events where !event.isTest {
            let got = receivers[id] ?? []
            for endpoint in webhooks.endpoints where event.recordedAt > endpoint.unchangedSince {
                guard let wants = endpoint.wants(event), wants != got.contains(endpoint.id) else { continue }
                violations.append(
                    wants
                        ? "endpoint \(endpoint.id) wants event \(id) (\(event.type)) and has no delivery of it"
                        : "endpoint \(endpoint.id) does not want event \(id) (\(event.type)) and has a delivery of it"
                )
            }
        }
        return violations
    }

    /// Events that were passed over as wanted by nobody. Who chooses by content is left out: nothing of the content was kept.
    private func passedOver(_ evidence: Evidence) -> [String] {
        var since: [String: Int64] = [:]
        for row in evidence.messaging?.inbox ?? []
        where row.consumer == EventReader.forwarder.consumer && row.outcome == "noop"
            // One that was read once more, long after it was recorded, says so too.
            && webhooks.events[row.messageID] == nil
        {
            since[row.messageID] = row.receivedAt
        }
        let endpoints = webhooks.endpoints.filter(\.choosesByTypeAlone)
        guard !since.isEmpty, !endpoints.isEmpty else { return [] }
        return (evidence.log ?? []).compactMap { record in
            guard let id = record.eventID, let at = since[id],
                let endpoint = endpoints.first(where: { at > $0.unchangedSince && $0.wants(type: record.type) })
            else { return nil }
            return "event \(id) (\(record.type)) was passed over, and endpoint \(endpoint.id) wants it"
        }
    }
}
