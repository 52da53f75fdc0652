import Commerce
import DurableStore

/// W1 seen from the endpoints: everybody got what they asked for, and nothing else.
///
/// What an endpoint wants is what its settings say now, so only events after they were last changed are held against them. Which of the two
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
        for endpoint in webhooks.endpoints {
            var types = TypesWanted(endpoint)
            for (id, event) in webhooks.events where !event.isTest && event.recordedAt > endpoint.unchangedSince {
                guard let wants = types.contains(event.type) ? endpoint.wants(event) : false,
                    wants != receivers[id]?.contains(endpoint.id) ?? false
                else { continue }
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
        var types = webhooks.endpoints.filter(\.choosesByTypeAlone).map(TypesWanted.init)
        guard !types.isEmpty else { return [] }
        var rows: [String: MessagingEvidence.InboxRow] = [:]
        for row in evidence.messaging?.inbox ?? []
        where row.consumer == EventReader.forwarder.consumer && row.outcome == "noop"
            // One that was read once more, long after it was recorded, says so too.
            && webhooks.events[row.messageID] == nil
        {
            rows[row.messageID] = row
        }
        guard !rows.isEmpty else { return [] }
        var violations: [String] = []
        for record in evidence.log ?? [] {
            guard let id = record.eventID, let row = rows[id] else { continue }
            for index in types.indices
            where row.receivedAt > types[index].endpoint.unchangedSince && types[index].contains(record.type)
                // A stranger may have used the id again.
                && row.bodyHash == PayloadHash.of(type: record.type, subject: record.subject, body: record.body)
            {
                let endpoint = types[index].endpoint.id
                violations.append("event \(id) (\(record.type)) was passed over, and endpoint \(endpoint) wants it")
            }
        }
        return violations
    }
}

/// The types that an endpoint wants. There are far fewer types than events: each is held against the patterns once.
private struct TypesWanted {
    let endpoint: WebhookEvidence.Endpoint
    private var known: [String: Bool] = [:]

    init(_ endpoint: WebhookEvidence.Endpoint) {
        self.endpoint = endpoint
    }

    mutating func contains(_ type: String) -> Bool {
        if let wants = known[type] { return wants }
        let wants = endpoint.wants(type: type)
        known[type] = wants
        return wants
    }
}
