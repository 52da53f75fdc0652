import Foundation
import GRDB
import KitTestSupport
import Messaging
import Synchronization
import Testing

@testable import DurableStore

@Suite struct GroupCommitTests {
    @Test func aUnitIsDurableWhenWriteReturns() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path)
        let value = try await store.write { transaction in
            try transaction.db.execute(sql: "INSERT INTO item(id) VALUES ('a')")
            return 42
        }
        #expect(value == 42)
        #expect(try await store.count("SELECT count(*) FROM item") == 1)
        await store.close()
        let again = try makeStore(database.path)
        #expect(try await again.count("SELECT count(*) FROM item") == 1)
        await again.close()
    }

    @Test func settingsAreThoseThatMakeItDurable() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path)
        let settings = try await store.write { transaction in
            try ["journal_mode", "synchronous", "foreign_keys", "trusted_schema"].map { name in
                try String.fetchOne(transaction.db, sql: "PRAGMA \(name)") ?? ""
            }
        }
        #expect(settings == ["wal", "2", "1", "0"])
        for suffix in ["", "-wal", "-shm"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: database.path + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
        await store.close()
    }

    @Test func unitsRunInTheOrderInWhichTheyWereQueued() async throws {
        let store = try makeStore()
        let done = Recorder<Int>()
        for index in 0..<500 {
            store.enqueueWrite { transaction in
                try transaction.db.execute(sql: "INSERT INTO item(id) VALUES (?)", arguments: [String(index)])
            } completion: { _ in
                done.add(index)
            }
        }
        try await store.write { _ in }
        #expect(done.all == Array(0..<500))
        #expect(try await store.strings("SELECT id FROM item ORDER BY rowid") == (0..<500).map(String.init))
    }

    @Test func aFailingUnitTakesOnlyItselfDown() async throws {
        let store = try makeStore()
        let results: [Result<Int, any Error>] = await store.writeEach(
            (0..<20).map { index in
                { transaction in
                    try transaction.db.execute(sql: "INSERT INTO item(id) VALUES (?)", arguments: ["x\(index)"])
                    try transaction.enqueue(outgoing("m\(index)", subject: "s"))
                    if index % 3 == 0 { throw Failure(.permanent, code: "refused", "No.") }
                    if index == 7 { try transaction.db.execute(sql: "INSERT INTO item(id) VALUES ('x1')") }
                    return index
                }
            }
        )
        for (index, result) in results.enumerated() {
            switch result {
            case .success(let value): #expect(value == index && index % 3 != 0 && index != 7)
            case .failure(let error):
                #expect(index % 3 == 0 || index == 7)
                if index == 7 { #expect((error as? DatabaseError)?.resultCode == .SQLITE_CONSTRAINT) }
            }
        }
        #expect(try await store.count("SELECT count(*) FROM item") == 12)
        #expect(try await store.count("SELECT count(*) FROM outbox") == 12)
    }

    /// A unit alone in its group has no savepoint: its transaction is taken back and begun anew.
    @Test("what a failed unit did is gone, and what is done instead stays", arguments: [1, 3])
    func aFailedUnitIsReplacedByItsRecovery(groupSize: Int) async throws {
        let store = try makeStore()
        let ran = Recorder<String>()
        let results = await store.writeEach(
            (0..<groupSize).map { index in
                RecoverableUnit<String>(
                    run: { transaction in
                        try transaction.db.execute(sql: "INSERT INTO item(id) VALUES (?)", arguments: ["run\(index)"])
                        try transaction.enqueue(outgoing("run\(index)", subject: "s"))
                        transaction.afterCommit { ran.add("run") }
                        throw Failure(.permanent, code: "refused", "No.")
                    },
                    recover: { _, transaction in
                        try transaction.db.execute(sql: "INSERT INTO item(id) VALUES (?)", arguments: ["else\(index)"])
                        try transaction.enqueue(outgoing("else\(index)", subject: "s"))
                        transaction.afterCommit { ran.add("else") }
                        return "else\(index)"
                    }
                )
            }
        )
        let wanted = (0..<groupSize).map { "else\($0)" }
        #expect(try results.map { try $0.get() } == wanted)
        #expect(try await store.strings("SELECT id FROM item ORDER BY id") == wanted)
        #expect(try await store.strings("SELECT message_id FROM outbox ORDER BY seq") == wanted)
        #expect(ran.all == wanted.map { _ in "else" })
    }

    @Test func concurrentUnitsShareCommits() async throws {
        let database = try TemporaryDatabase()
        let commits = Mutex(0)
        let store = try makeStore(database.path) { step in
            if step == .beforeCommit { commits.withLock { $0 += 1 } }
        }
        try await withThrowingTaskGroup { group in
            for index in 0..<400 {
                group.addTask {
                    try await store.write { transaction in
                        try transaction.db.execute(sql: "INSERT INTO item(id) VALUES (?)", arguments: ["\(index)"])
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.count("SELECT count(*) FROM item") == 400)
        #expect(commits.withLock { $0 } < 400)
        await store.close()
    }

    @Test func aRehearsalSeesItsRowsAndLeavesNone() async throws {
        let store = try makeStore()
        let ran = Recorder<String>()
        let seen = try await store.rehearse { transaction in
            try transaction.db.execute(sql: "INSERT INTO item(id) VALUES ('a')")
            try transaction.enqueue(outgoing("m", subject: "s"))
            transaction.afterCommit { ran.add("action") }
            return try Int.fetchOne(transaction.db, sql: "SELECT count(*) FROM item")
        }
        #expect(seen == 1)
        #expect(try await store.count("SELECT count(*) FROM item") == 0)
        #expect(try await store.count("SELECT count(*) FROM outbox") == 0)
        #expect(ran.all.isEmpty)
    }

    @Test func actionsRunAfterTheCommitOnly() async throws {
        let store = try makeStore()
        let ran = Recorder<String>()
        try await store.write { $0.afterCommit { ran.add("kept") } }
        _ = try? await store.write { transaction in
            transaction.afterCommit { ran.add("rolled back") }
            throw Failure(.permanent, code: "no", "No.")
        }
        try await store.write { transaction in
            _ = try? transaction.savepoint {
                transaction.afterCommit { ran.add("part") }
                try transaction.enqueue(outgoing("m", subject: "s"))
                throw Failure(.permanent, code: "no", "No.")
            }
            try transaction.savepoint { transaction.afterCommit { ran.add("other part") } }
        }
        #expect(ran.all == ["kept", "other part"])
        #expect(try await store.count("SELECT count(*) FROM outbox") == 0)
    }

    @Test func callersBeyondTheQueueAreRefusedAtOnce() async throws {
        let gate = DispatchSemaphore(value: 0)
        let store = try makeStore(maximumQueue: 3)
        let results = Recorder<String>()
        let entered = Recorder<Int>()
        store.enqueueWrite { _ in
            entered.add(1)
            gate.wait()
        } completion: { _ in
            results.add("first")
        }
        #expect(await eventually { entered.count == 1 })
        for index in 0..<5 {
            store.enqueueWrite { _ in
                index
            } completion: { result in
                switch result {
                case .success(let value): results.add("\(value)")
                case .failure(let error): results.add((error as? Failure)?.code ?? "?")
                }
            }
        }
        #expect(results.all == ["store-overloaded", "store-overloaded"])
        gate.signal()
        #expect(await eventually { results.count == 6 })
        #expect(results.all == ["store-overloaded", "store-overloaded", "first", "0", "1", "2"])
    }

    @Test func aClosedStoreFinishesWhatWasQueuedAndRefusesTheRest() async throws {
        let store = try makeStore()
        let done = Recorder<Int>()
        for index in 0..<50 {
            store.enqueueWrite { _ in
            } completion: { _ in
                done.add(index)
            }
        }
        await store.close()
        #expect(done.count == 50)
        await store.close()
        await #expect(throws: Failure.self) { try await store.write { _ in } }
    }

    @Test func aUnitThatEndsTheTransactionStopsTheStore() async throws {
        let store = try makeStore()
        let failure = await #expect(throws: Failure.self) {
            try await store.write { transaction in
                try transaction.db.execute(sql: "COMMIT")
            }
        }
        #expect(failure?.failureClass == .fatal)
        #expect(store.failure?.failureClass == .fatal)
    }

    @Test func aNewerFileIsRefused() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path)
        try await store.write { try $0.db.execute(sql: "INSERT INTO grdb_migrations VALUES ('test.2')") }
        await store.close()
        let failure = #expect(throws: Failure.self) { try makeStore(database.path) }
        #expect(failure?.code == "store-too-new")
    }

    @Test func readersSeeCommittedRowsOnly() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path)
        let gate = DispatchSemaphore(value: 0)
        let entered = Recorder<Int>()
        store.enqueueWrite { transaction in
            try transaction.db.execute(sql: "INSERT INTO item(id) VALUES ('a')")
            entered.add(1)
            gate.wait()
        } completion: { _ in
        }
        #expect(await eventually { entered.count == 1 })
        #expect(try await store.count("SELECT count(*) FROM item") == 0)
        gate.signal()
        try await store.write { _ in }
        #expect(try await store.count("SELECT count(*) FROM item") == 1)
        await store.close()
    }
}
