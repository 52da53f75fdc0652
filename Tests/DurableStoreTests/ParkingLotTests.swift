import Testing

@testable import DurableStore

@Suite struct ParkingLotTests {
    private let a = ParkingLot.Key(topic: "t", partition: 0, subject: "a")
    private let b = ParkingLot.Key(topic: "t", partition: 0, subject: "b")

    private func lot(records: Int = 10, ofKey: Int = 10, bytes: Int = 100) -> ParkingLot {
        ParkingLot(ParkingLot.Bounds(records: records, recordsOfKey: ofKey, bytes: bytes))
    }

    @Test func aFreeKeyIsHandledAndAParkedOneWaits() {
        var lot = lot()
        #expect(lot.turn(of: a, bytes: 1) == .now)
        lot.park(a, bytes: 1)
        #expect(lot.turn(of: a, bytes: 1) == .behind)
        #expect(lot.turn(of: b, bytes: 1) == .now)
    }

    @Test func aSubjectOfAnotherPartitionOrTopicIsAnotherKey() {
        var lot = lot()
        lot.park(a, bytes: 1)
        #expect(lot.turn(of: ParkingLot.Key(topic: "t", partition: 1, subject: "a"), bytes: 1) == .now)
        #expect(lot.turn(of: ParkingLot.Key(topic: "u", partition: 0, subject: "a"), bytes: 1) == .now)
    }

    @Test(arguments: [(records: 2, ofKey: 9, bytes: 99), (9, 2, 99), (9, 9, 2)])
    func eachBoundHolds(_ bound: (records: Int, ofKey: Int, bytes: Int)) {
        var lot = lot(records: bound.records, ofKey: bound.ofKey, bytes: bound.bytes)
        lot.park(a, bytes: 1)
        #expect(lot.turn(of: a, bytes: 1) == .behind)
        lot.park(a, bytes: 1)
        #expect(lot.turn(of: a, bytes: 1) == .held)
        // A key of which nothing waits is handled all the same; only if it fails does it need room.
        #expect(lot.turn(of: b, bytes: 1) == .now)
        #expect(lot.hasRoom(for: b, bytes: 1) == (bound.ofKey == 2))
    }

    @Test func withoutRoomNothingIsParked() {
        #expect(!lot(records: 0).hasRoom(for: a, bytes: 0))
    }

    @Test func pausesDoubleUpToTheLongest() {
        let limits = EventProcessor.Limits()
        #expect(limits.pause(afterAttempt: 1) == .milliseconds(250))
        #expect(limits.pause(afterAttempt: 2) == .milliseconds(500))
        #expect(limits.pause(afterAttempt: 8) == .seconds(32))
        #expect(limits.pause(afterAttempt: 9) == .seconds(60))
        #expect(limits.pause(afterAttempt: .max) == .seconds(60))
    }
}
