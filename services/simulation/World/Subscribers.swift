import Messaging
import Webhooks

/// The subscribers' side of the webhooks: what arrived there, whatever the sender knows of it.
struct Subscribers {
    /// One subscription of the simulated world.
    struct Subscription {
        let url: String
        let types: [String]
        let ordering: EndpointSettings.Ordering
        let secret: WebhookSecret
    }

    /// One request that arrived.
    struct Arrival {
        let url: String
        let id: String
        let body: [UInt8]
        let isVerified: Bool
        let status: Int

        var wasTaken: Bool { (200..<300).contains(status) }
    }

    var subscriptions: [Subscription] = []
    private(set) var arrivals: [Arrival] = []
    private var bodies: [String: [UInt8]] = [:]
    private var taken: Set<String> = []

    /// Whether a subscriber has taken a message.
    func hasTaken(_ id: String, at url: String) -> Bool { taken.contains(url + " " + id) }

    /// Notes an arrival.
    ///
    /// - Returns: whether the same message was taken before, and whether its bytes were others before.
    mutating func note(_ arrival: Arrival) -> (again: Bool, differs: Bool) {
        arrivals.append(arrival)
        let key = arrival.url + " " + arrival.id
        let differs = bodies[key].map { $0 != arrival.body } ?? false
        bodies[key] = arrival.body
        let again = taken.contains(key)
        if arrival.wasTaken { taken.insert(key) }
        return (again, differs)
    }
}
