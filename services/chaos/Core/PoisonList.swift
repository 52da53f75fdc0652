/// The poison that a run puts in: which of it must be found among the dead letters, and which only may be.
public struct PoisonList: Sendable, Hashable {
    private struct Entry: Sendable, Hashable {
        var id: String
        var place: String
        var sentAt: Int64
        var hasArrived = false
    }

    private struct Deletion: Sendable, Hashable {
        var inbox: String
        var at: Int64
    }

    /// A message that was sent so long before its queue was deleted has been taken out of it: a target is ready again by then.
    static let handling: Int64 = 60_000
    /// What is sent so soon after its queue was deleted may find a queue that is brand new, whose first second is not durable.
    static let renewal: Int64 = 10_000

    private var entries: [Entry] = []
    private var deletions: [Deletion] = []

    /// Nothing yet.
    public init() {}

    /// A message is about to be sent to an inbox or a topic. Until it is known to have arrived, it may have.
    public mutating func send(_ id: String, to place: String, at now: Int64) {
        entries.append(Entry(id: id, place: place, sentAt: now))
    }

    /// The broker or the log has taken it.
    public mutating func arrive(_ id: String) {
        for index in entries.indices where entries[index].id == id { entries[index].hasArrived = true }
    }

    /// An inbox was deleted with what was in it.
    public mutating func delete(_ inbox: String, at now: Int64) {
        deletions.append(Deletion(inbox: inbox, at: now))
    }

    /// What must be found among the dead letters.
    public var certain: [String] { entries.filter { !isDoubtful($0) }.map(\.id) }
    /// What may be found there or not.
    public var doubtful: [String] { entries.filter(isDoubtful).map(\.id) }

    /// For `waybill verify --poison`.
    public var text: String {
        (certain + doubtful.map { $0 + " ?" }).map { $0 + "\n" }.joined()
    }

    private func isDoubtful(_ entry: Entry) -> Bool {
        !entry.hasArrived
            || deletions.contains {
                $0.inbox == entry.place && $0.at >= entry.sentAt - Self.renewal && $0.at <= entry.sentAt + Self.handling
            }
    }
}
