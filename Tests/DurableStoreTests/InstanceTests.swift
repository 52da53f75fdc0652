import DurableStore
import Foundation
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
}
