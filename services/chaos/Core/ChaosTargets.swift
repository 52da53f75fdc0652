/// What there is to be broken.
public struct ChaosTargets: Sendable, Hashable {
    /// The services, each with an active and a standing-by instance.
    public var services: [String]
    /// The services that have an inbox.
    public var inboxes: [String]
    /// The topics of the event log.
    public var topics: [String]
    /// The links that lead through a proxy.
    public var links: [String]
    /// The services and parts whose disk can be made full; empty where that needs rights that we do not have.
    public var disks: [String]

    /// Makes targets.
    public init(services: [String], inboxes: [String], topics: [String], links: [String], disks: [String]) {
        self.services = services
        self.inboxes = inboxes
        self.topics = topics
        self.links = links
        self.disks = disks
    }

    /// The names among which a kind chooses; empty when it cannot be done here.
    func names(for kind: FaultKind) -> [String] {
        switch kind.scope {
        case .service: services
        case .disk: disks.filter(services.contains)
        case .part(let part): [part.rawValue]
        case .partDisk(let part): disks.filter { $0 == part.rawValue }
        case .link: links
        case .inbox: inboxes
        case .topic: topics
        case .outside(let name): [name]
        }
    }

    /// What a fault keeps to itself while it lasts and settles: two faults with a claim in common are never on at once, so that
    /// each can be told from the other.
    func claims(_ kind: FaultKind, _ name: String) -> Set<String> {
        switch kind.scope {
        case .service, .disk: ["process \(name)"]
        case .part(let part), .partDisk(let part): ["process \(part.rawValue)"]
        case .link: ["link \(name)"]
        // Published by hand through the broker's management interface, and counted in its queues.
        case .inbox: ["process rabbitmq"]
        case .topic: ["process event-log"]
        case .outside(let name): [name]
        }
    }
}
