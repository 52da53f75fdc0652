import DurableStore
import Foundation
import GRDB
import KitTestSupport
import Messaging
import Testing

@Suite struct InstanceTests {
    @Test func oneAtATime() async throws {
        let database = try TemporaryDatabase()
        let path = database.path + ".lock"
        let first = try await InstanceLock.acquire(path: path)
        #expect(try InstanceLock.tryAcquire(path: path) == nil)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let waiting = Task { try await InstanceLock.acquire(path: path) }
        first.release()
        let second = try await waiting.value
        #expect(try InstanceLock.tryAcquire(path: path) == nil)
        second.release()
        second.release()
        #expect(try InstanceLock.tryAcquire(path: path) != nil)
    }

    @Test func waitingCanBeCancelled() async throws {
        let database = try TemporaryDatabase()
        let path = database.path + ".lock"
        let held = try await InstanceLock.acquire(path: path)
        let waiting = Task { try await InstanceLock.acquire(path: path) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        held.release()
    }

    @Test func aMissingFolderIsAClearFailure() async throws {
        let failure = await #expect(throws: Failure.self) {
            try await InstanceLock.acquire(path: "/nonexistent/folder/x.lock")
        }
        #expect(failure?.failureClass == .fatal)
        #expect(throws: Failure.self) { try makeStore("/nonexistent/folder/x.db") }
    }

    @Test func theEpochRisesWithEachTerm() async throws {
        let database = try TemporaryDatabase()
        for term in 1...3 {
            let store = try makeStore(database.path)
            #expect(try await store.epoch() == Int64(term - 1))
            #expect(try await store.beginEpoch() == Int64(term))
            await store.close()
        }
    }

    /// The regression: readers were the last connections, which may not write, so the log stayed beside every database.
    @Test func aClosedStoreLeavesOnlyItsFile() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path)
        for index in 0..<5 {
            try await store.write { try $0.db.execute(sql: "INSERT INTO item(id) VALUES (?)", arguments: ["\(index)"]) }
        }
        async let first = store.strings("SELECT id FROM item ORDER BY id")
        async let second = store.strings("SELECT id FROM item ORDER BY id")
        let (one, two) = try await (first, second)
        #expect(one.count == 5 && one == two)
        await store.close()
        let names = try FileManager.default.contentsOfDirectory(atPath: database.folder)
        #expect(names == [(database.path as NSString).lastPathComponent])
        let again = try makeStore(database.path)
        #expect(try await again.strings("SELECT id FROM item ORDER BY id") == one)
        await again.close()
    }
}
