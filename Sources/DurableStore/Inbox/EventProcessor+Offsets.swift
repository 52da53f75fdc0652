public import GRDB

extension EventProcessor {
    /// Where each partition goes on, read in the caller's transaction, next to the rows that the offsets belong to.
    ///
    /// - Returns: the offset of the next record to read; partitions never read are missing.
    public static func startOffsets(
        consumer: String,
        in db: Database
    ) throws -> [(topic: String, partition: Int32, offset: Int64)] {
        try OffsetTable.all(consumer: consumer, in: db).map { entry in
            (topic: entry.partition.topic, partition: entry.partition.partition, offset: entry.offset)
        }
    }

    /// How many of the consumer's records are parked: behind the offsets, but without effect so far.
    public static func parkedRecords(consumer: String, in db: Database) throws -> Int {
        try ParkedTable.counts(in: db).first { $0.consumer == consumer }?.records ?? 0
    }
}
