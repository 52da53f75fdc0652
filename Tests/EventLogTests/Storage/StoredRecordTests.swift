import NIOCore
import Testing

@testable import EventLog

/// The bytes of `meta.log` and `offsets.log`, which every later version has to read.
@Suite struct StoredRecordTests {
    private static let id = TopicID(high: 1, low: 2)
    private static let idHex = "00000000000000010000000000000002"

    @Test(arguments: [
        (
            MetaRecord.topicCreated(
                .init(name: "t", id: id, partitionCount: 3, overrides: ["b": "y", "a": "x"], createdAt: 4)
            ), "01000174\(idHex)0000000300000000000000040002000161000178000162000179"
        ),
        (.partitionsAdded(id, count: 3), "02\(idHex)00000003"),
        (.topicDeleted(id), "03\(idHex)"),
        (.topicPurged(id), "04\(idHex)"),
        (.producerIds(below: 5), "050000000000000005"),
        (.leaderEpoch(6), "0600000006"),
        (.logStart(id, partition: 5, offset: 6), "07\(idHex)000000050000000000000006"),
    ])
    func meta(_ record: MetaRecord, _ hex: String) {
        #expect(Array(record.encoded().readableBytesView) == hexBytes(hex))
        #expect(MetaRecord.decode(ByteBuffer(bytes: hexBytes(hex))) == record)
    }

    @Test(arguments: [
        (
            OffsetStore.Record.offset(
                group: "g",
                .init(topic: "t", partition: 1),
                .init(offset: 2, leaderEpoch: 3, metadata: "m", committedAt: 4)
            ), "0100016700017400000001000000000000000200000003000000000000000400016d"
        ),
        (.offsetRemoved(group: "g", .init(topic: "t", partition: 1)), "0200016700017400000001"),
        (.generation(group: "g", 7), "0300016700000007"),
        (.groupRemoved(group: "g"), "04000167"),
    ])
    func offsets(_ record: OffsetStore.Record, _ hex: String) {
        #expect(Array(record.encoded().readableBytesView) == hexBytes(hex))
        #expect(OffsetStore.Record.decode(ByteBuffer(bytes: hexBytes(hex))) == record)
    }

    /// What is cut short, of an unknown kind or impossible is no record.
    @Test(arguments: ["", "08", "03\(idHex.dropLast(2))", "0600", "01000174\(idHex)0000000000000000000000040000"])
    func noRecord(_ hex: String) {
        #expect(MetaRecord.decode(ByteBuffer(bytes: hexBytes(hex))) == nil)
        #expect(OffsetStore.Record.decode(ByteBuffer(bytes: [9] + hexBytes(hex))) == nil)
    }
}
