/// Which keys of the event log wait for another attempt, and whether one more record may join them. Pure.
///
/// ```
///            retryable failure, room                  every record of the key done with
///   free ───────────────────────────► parked (1…n) ──────────────────────────────────────► free
///    │ no room                            │ another record of the key: joins at the end; no room
///    └──────────► partition held ◄────────┘
/// ```
/// A key is a subject within one partition: the log promises an order there and nowhere else.
struct ParkingLot: Sendable, Equatable {
    /// What keeps its order.
    struct Key: Hashable, Sendable {
        let topic: String
        let partition: Int32
        let subject: String
    }

    /// How much may be parked for one consumer.
    struct Bounds: Sendable, Hashable {
        let records: Int
        let recordsOfKey: Int
        let bytes: Int
    }

    /// What becomes of the next record of a key.
    enum Turn: Sendable, Hashable {
        /// Nothing of its key waits: it is handled.
        case now
        /// It waits behind the others of its key.
        case behind
        /// It would wait, but there is no room: its partition is held.
        case held
    }

    let bounds: Bounds
    private(set) var records = 0
    private(set) var bytes = 0
    private var waiting: [Key: Int] = [:]

    init(_ bounds: Bounds) { self.bounds = bounds }

    func turn(of key: Key, bytes size: Int) -> Turn {
        guard waiting[key] != nil else { return .now }
        return hasRoom(for: key, bytes: size) ? .behind : .held
    }

    func hasRoom(for key: Key, bytes size: Int) -> Bool {
        records < bounds.records && waiting[key, default: 0] < bounds.recordsOfKey && bytes + size <= bounds.bytes
    }

    mutating func park(_ key: Key, records count: Int = 1, bytes size: Int) {
        records += count
        bytes += size
        waiting[key, default: 0] += count
    }
}
