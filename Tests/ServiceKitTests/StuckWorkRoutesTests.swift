import DurableStore
import GRDB
import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KitTestSupport
import Messaging
import NIOCore
import StrictJSON
import Testing

@testable import ServiceKit

/// What the doctor reads of a service.
@Suite struct StuckWorkRoutesTests {
    private struct Down: MessageHandler {
        let consumer = "reader"
        func handle(_ envelope: Envelope, in transaction: Transaction) throws {
            throw Failure(.retryable, code: "down", "Down.")
        }
    }

    private func get(_ path: String, _ store: DurableStore) async throws -> (status: Int, body: JSONValue) {
        let router = Router(context: APIContext.self)
        DeadLetterRoutes(desk: DeadLetterDesk(store: store), store: store).add(to: router)
        DeadlineRoutes(store: store).add(to: router)
        return try await Application(router: router).test(.router) { client in
            let reply = try await client.execute(uri: "/operator" + path, method: .get)
            return (reply.status.code, try StrictJSON.parse([UInt8](reply.body.readableBytesView)))
        }
    }

    @Test func parkedKeysAreListedWithTheirCause() async throws {
        let store = try DurableStore.inMemory(migrations: DatabaseMigrator(), clock: ManualClock())
        let records = (0..<2).map { index in
            let envelope = Envelope(
                id: "m\(index)",
                source: "/test",
                type: "test.event.v1",
                subject: "s-1",
                time: Timestamp(millisecondsSinceEpoch: 0),
                correlationID: "c",
                body: [UInt8]("{}".utf8)
            )
            return ReceivedMessage(
                source: .record(topic: "events", partition: 3, offset: Int64(index + 7)),
                headers: EnvelopeHeaders.encode(envelope),
                body: envelope.body
            )
        }
        _ = await EventProcessor(store: store, consumer: "reader", handler: Down()).process(records)
        let item = try #require(try await get("/parked-keys", store).body["items"]?[0])
        #expect(item["consumer"] == "reader" && item["topic"] == "events" && item["partition"] == 3)
        #expect(item["subject"] == "s-1" && item["records"] == 2 && item["offset"] == 7 && item["attempts"] == 1)
        #expect(item["error"] == "down: Down.")
    }

    @Test func onlyOverdueDeadlinesAreListed() async throws {
        let clock = ManualClock()
        let store = try DurableStore.inMemory(migrations: DatabaseMigrator(), clock: clock)
        let due = clock.now().advanced(by: .seconds(60))
        try await store.write { try $0.setDeadline("stock", for: "o-1", at: due) }
        clock.advance(by: .seconds(65))
        #expect(try await get("/deadlines/overdue?by=10", store).body["items"] == [])
        clock.advance(by: .seconds(10))
        let item = try #require(try await get("/deadlines/overdue?by=10", store).body["items"]?[0])
        #expect(item["name"] == "stock" && item["subject"] == "o-1" && item["overdueMs"] == 15_000)
        #expect(try await get("/deadlines/overdue?by=-1", store).status == 400)
    }
}

@Suite struct ConsumerProgressTests {
    @Test func onlyAConsumerThatHasSomethingToDoCanStandStill() {
        var progress = ConsumerProgress()
        let start = ContinuousClock.now
        #expect(progress.stalled(behind: 0, at: start) == .zero)
        #expect(progress.stalled(behind: 5, at: start + .seconds(10)) == .zero)
        #expect(progress.stalled(behind: 5, at: start + .seconds(30)) == .seconds(20))
        progress.moved(at: start + .seconds(32))
        #expect(progress.stalled(behind: 4, at: start + .seconds(33)) == .seconds(1))
        #expect(progress.stalled(behind: 0, at: start + .seconds(90)) == .zero)
        // Idle time does not count once there is something to do again.
        #expect(progress.stalled(behind: 1, at: start + .seconds(100)) == .zero)
    }
}
