import Testing

@testable import Messaging

@Suite struct UUIDv7Tests {
    @Test func formAndTime() throws {
        let generator = UUIDv7Generator(random: { .max })
        let id = generator.next(at: Timestamp(millisecondsSinceEpoch: 0x017F_22E2_79B0))
        #expect(id == "017f22e2-79b0-77ff-bfff-ffffffffffff")
        #expect(id.utf8.count == 36)
    }

    @Test func idsRiseWithinAMillisecondAndWhenTheClockStepsBack() {
        let generator = UUIDv7Generator()
        var last = ""
        for index in 0..<20_000 {
            let time = Timestamp(millisecondsSinceEpoch: 1_000_000 - Int64(index % 7))
            let id = generator.next(at: time)
            #expect(id > last)
            last = id
        }
    }

    @Test func idsOfManyThreadsAreDifferent() async {
        let generator = UUIDv7Generator()
        let all = await withTaskGroup(of: [String].self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<2000).map { _ in generator.next(at: Timestamp(millisecondsSinceEpoch: 5)) } }
            }
            return await group.reduce(into: Set<String>()) { $0.formUnion($1) }
        }
        #expect(all.count == 16_000)
    }

    /// The counter of the identifiers would hide it.
    @Test func thePoolGivesEachNumberOnce() async {
        let pool = RandomPool()
        let all = await withTaskGroup(of: [UInt64].self) { group in
            for _ in 0..<8 { group.addTask { (0..<1000).map { _ in pool.next() } } }
            return await group.reduce(into: Set<UInt64>()) { $0.formUnion($1) }
        }
        #expect(all.count == 8000)
    }
}
