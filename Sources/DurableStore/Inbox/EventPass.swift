import Messaging

/// One pass over records inside one unit: what was done, which keys were parked, what holds its partition.
struct EventPass: Sendable {
    struct Done: Sendable {
        let index: Int
        let outcome: ProcessingObservation.Outcome
        var failure: Failure?
        var duration: Duration = .zero
    }

    let trial: RecordTrial
    let limits: EventProcessor.Limits
    private(set) var done: [Done] = []
    private(set) var held: [OffsetTable.Partition: Failure] = [:]
    private(set) var fatal: Failure?
    private var lot: ParkingLot
    private var next: [OffsetTable.Partition: Int64] = [:]

    init(_ trial: RecordTrial, limits: EventProcessor.Limits) {
        self.trial = trial
        self.limits = limits
        lot = ParkingLot(limits.parking)
    }

    /// Where a message stands in the log; `nil` if it does not come from one.
    static func position(of message: ReceivedMessage) -> (partition: OffsetTable.Partition, offset: Int64)? {
        guard case .record(let topic, let partition, let offset) = message.source else { return nil }
        return (OffsetTable.Partition(topic: topic, partition: partition), offset)
    }

    /// - Throws: when the store failed: then nothing of the pass is committed.
    mutating func run(_ batch: [ReceivedMessage], in transaction: Transaction) throws {
        lot = try ParkedTable.lot(limits.parking, consumer: trial.consumer, in: transaction.db)
        for (index, message) in batch.enumerated() {
            let position = Self.position(of: message)
            if let partition = position?.partition, held[partition] != nil { continue }
            guard let result = try handle(message, index, position, in: transaction) else {
                if fatal != nil { break }
                continue
            }
            done.append(result)
            if let position { next[position.partition] = position.offset + 1 }
        }
        for (partition, offset) in next {
            try OffsetTable.set(partition, next: offset, consumer: trial.consumer, in: transaction.db)
        }
    }

    /// - Returns: `nil` when the record holds its partition or stops the process.
    private mutating func handle(
        _ message: ReceivedMessage,
        _ index: Int,
        _ position: (partition: OffsetTable.Partition, offset: Int64)?,
        in transaction: Transaction
    ) throws -> Done? {
        let start = ContinuousClock.now
        let place = Self.place(of: message, position)
        if let place {
            switch lot.turn(of: place.key, bytes: ParkedTable.size(of: message)) {
            case .now: break
            case .behind: return try park(message, index, place, after: nil, in: transaction)
            case .held:
                if let partition = position?.partition { held[partition] = .parkingFull }
                return nil
            }
        }
        // What has no place in the log cannot wait there: it has one attempt.
        switch try (place == nil ? trial.once : trial).run(message, in: transaction) {
        case .done(let outcome, let failure):
            return Done(index: index, outcome: outcome, failure: failure, duration: ContinuousClock.now - start)
        case .again(let failure):
            guard let place, lot.hasRoom(for: place.key, bytes: ParkedTable.size(of: message)) else {
                if let partition = position?.partition { held[partition] = failure }
                return nil
            }
            return try park(message, index, place, after: failure, in: transaction)
        case .interrupted(let failure):
            if let partition = position?.partition { held[partition] = failure }
            return nil
        case .fatal(let failure):
            fatal = failure
            return nil
        }
    }

    private typealias Place = (key: ParkingLot.Key, offset: Int64)

    /// Where a record would wait; `nil` when its envelope does not say what it is about.
    private static func place(
        of message: ReceivedMessage,
        _ position: (partition: OffsetTable.Partition, offset: Int64)?
    ) -> Place? {
        guard let position, let envelope = try? message.envelope.get() else { return nil }
        let partition = position.partition
        return (
            ParkingLot.Key(topic: partition.topic, partition: partition.partition, subject: envelope.subject),
            position.offset
        )
    }

    private mutating func park(
        _ message: ReceivedMessage,
        _ index: Int,
        _ place: Place,
        after failure: Failure?,
        in transaction: Transaction
    ) throws -> Done {
        let nextAttemptAt = transaction.now.advanced(by: limits.pause(afterAttempt: 1))
        try ParkedTable.insert(
            message,
            key: place.key,
            offset: place.offset,
            failure: failure.map { ($0, nextAttemptAt) },
            consumer: trial.consumer,
            at: transaction.now,
            in: transaction.db
        )
        lot.park(place.key, bytes: ParkedTable.size(of: message))
        return Done(index: index, outcome: .parked, failure: failure)
    }
}

extension Failure {
    static let parkingFull = Failure(
        .retryable,
        code: "parking-full",
        "So many records wait for another attempt that the partition is held until some are done with."
    )
}
