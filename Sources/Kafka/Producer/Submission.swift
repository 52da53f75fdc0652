/// One call of `publish`: its records, the results so far, and the caller who waits.
///
/// Owner: the producer's thread, from the moment it is taken out of the inbox; before that, whoever holds the inbox's lock. Each result is
/// set once; the caller is resumed exactly once, when the last is set.
final class Submission: @unchecked Sendable {
    let id: UInt64
    let records: [KafkaRecord]
    /// Index of the first record not yet handed to the library.
    private(set) var next = 0
    /// What may not be handed over any more, since it would overtake a record that was refused.
    private var stopped: Set<Lane> = []
    private var results: [KafkaPublishResult?]
    private var missing: Int
    private var caller: CheckedContinuation<[KafkaPublishResult], Never>?

    /// Records with the same key, topic and partition stand in the log in the order of the call.
    private struct Lane: Hashable {
        let topic: String
        let partition: Int32?
        let key: [UInt8]
    }

    init(id: UInt64, records: [KafkaRecord], caller: CheckedContinuation<[KafkaPublishResult], Never>) {
        self.id = id
        self.records = records
        self.caller = caller
        results = Array(repeating: nil, count: records.count)
        missing = records.count
    }

    /// Whether all results are known and the caller has gone on.
    var isFinished: Bool { caller == nil }

    /// Whether every record was handed over or settled.
    var isHandedOver: Bool { next >= records.count }

    /// The record at `next` was handed to the library; its report will come.
    func handedOver() { next += 1 }

    /// The record at `next` was refused here.
    func refused(_ result: KafkaPublishResult) {
        settle(next, result)
        next += 1
    }

    /// Lets no later record of this call pass that one, which was refused. Records without a key have no order to keep.
    func stop(_ record: KafkaRecord) {
        if let lane = Self.lane(of: record) { stopped.insert(lane) }
    }

    /// Whether a record would overtake a refused one.
    func isStopped(_ record: KafkaRecord) -> Bool {
        // Nearly always empty: the key is not hashed for nothing.
        guard !stopped.isEmpty, let lane = Self.lane(of: record) else { return false }
        return stopped.contains(lane)
    }

    private static func lane(of record: KafkaRecord) -> Lane? {
        record.key.map { Lane(topic: record.topic, partition: record.partition, key: $0) }
    }

    /// Sets one result; later ones for the same record are ignored (a report after the caller has given up).
    func settle(_ index: Int, _ result: KafkaPublishResult) {
        guard caller != nil, results[index] == nil else { return }
        results[index] = result
        missing -= 1
        guard missing == 0 else { return }
        caller?.resume(returning: results.compactMap { $0 })
        caller = nil
    }

    /// Settles all that is open: what was handed over may have arrived, the rest has not.
    func giveUp(_ code: KafkaErrorCode) {
        let boundary = next
        for index in records.indices where results[index] == nil {
            settle(index, index < boundary ? .possiblyPersisted(code) : .notPersisted(code))
        }
    }

    /// Settles all that is open alike.
    func finish(_ result: KafkaPublishResult) {
        for index in records.indices where results[index] == nil { settle(index, result) }
    }
}

/// Records handed to the library, by the number that comes back in their reports. Numbers are reused, never 0.
struct InFlightTable {
    struct Entry {
        var submission: Submission
        var index: Int
        var bytes: Int
    }

    private var entries: [Entry?] = []
    private var free: [Int] = []

    var count: Int { entries.count - free.count }

    mutating func insert(_ entry: Entry) -> UInt {
        if let slot = free.popLast() {
            entries[slot] = entry
            return UInt(slot) + 1
        }
        entries.append(entry)
        return UInt(entries.count)
    }

    mutating func take(_ token: UInt) -> Entry? {
        guard token > 0, token <= UInt(entries.count) else { return nil }
        let slot = Int(token - 1)
        guard let entry = entries[slot] else { return nil }
        entries[slot] = nil
        free.append(slot)
        return entry
    }

    mutating func removeAll() {
        entries.removeAll()
        free.removeAll()
    }
}
