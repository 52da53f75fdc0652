/// How long a relay waits between two rounds of deleting published rows.
///
/// A round walks every row older than the retention, on the writer's thread. In an outage most of them are unpublished, and
/// walking them each second would take the writer's time for nothing. So a long round that found little makes the pause
/// twice as long; any other brings it back to the shortest.
struct PurgePace {
    static let shortest: Int64 = 1000
    static let longest: Int64 = 60_000

    /// Rounds that looked at no more rows cost one unit, and are never held back.
    private let cheap: Int
    /// Milliseconds between the end of a round and the next one.
    private(set) var pause = Self.shortest
    private var looked = 0
    private var deleted = 0

    /// - Parameter batch: the most rows that one unit looks at.
    init(batch: Int) { cheap = batch }

    /// One unit of a round is done.
    mutating func add(looked: Int, deleted: Int) {
        self.looked += looked
        self.deleted += deleted
    }

    /// The round is over: decides on the pause after it.
    mutating func finishRound() {
        let isIdle = looked > cheap && deleted < looked / 2
        pause = isIdle ? min(pause * 2, Self.longest) : Self.shortest
        looked = 0
        deleted = 0
    }
}
