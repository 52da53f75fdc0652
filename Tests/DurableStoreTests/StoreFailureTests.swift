import Dispatch
import GRDB
import KitTestSupport
import Messaging
import Testing

@testable import DurableStore

@Suite struct StoreFailureTests {
    @Test func aFullDiskFailsTheUnitAndLaterOnesSucceed() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path)
        try await store.write { transaction in
            let pages = try Int.fetchOne(transaction.db, sql: "PRAGMA page_count") ?? 0
            try transaction.db.execute(sql: "PRAGMA max_page_count = \(pages + 4)")
        }
        let results: [Result<Void, any Error>] = await store.writeEach(
            (0..<6).map { index in
                { transaction in
                    let text = String(repeating: "x", count: index == 3 ? 200_000 : 10)
                    try transaction.db.execute(
                        sql: "INSERT INTO item(id, text) VALUES (?, ?)",
                        arguments: ["\(index)", text]
                    )
                }
            }
        )
        var kept: [String] = []
        for (index, result) in results.enumerated() {
            switch result {
            case .success: kept.append(String(index))
            case .failure(let error):
                let failure = error as? Failure
                #expect(failure?.code == "store-full")
                #expect(failure?.failureClass == .retryable)
            }
        }
        #expect(!kept.contains("3"))
        #expect(try await store.strings("SELECT id FROM item ORDER BY id") == kept)
        #expect(store.failure == nil)
        try await store.write { try $0.db.execute(sql: "PRAGMA max_page_count = 100000") }
        try await store.write { transaction in
            try transaction.db.execute(
                sql: "INSERT INTO item(id, text) VALUES ('3', ?)",
                arguments: [String(repeating: "x", count: 200_000)]
            )
        }
        await store.close()
    }

    /// What a route answers with 503 and `Retry-After` is known by its class; a wrong statement has none, and stays a 500.
    @Test func aReadThatTheStoreFailsHasAClassAndAWrongStatementHasNone() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path)
        let failure = await #expect(throws: Failure.self) {
            try await store.read { _ in throw DatabaseError(resultCode: .SQLITE_BUSY, message: "simulated") }
        }
        #expect(failure?.code == "store-busy" && failure?.failureClass == .retryable)
        await #expect(throws: DatabaseError.self) {
            try await store.read { try $0.execute(sql: "SELECT * FROM nowhere") }
        }
        await store.close()
    }

    /// What a failed sync has lost no later one brings back, so nothing may be committed after it, least of all on the way out.
    @Test func anIOErrorWhileClosingRefusesTheRestOfTheQueue() async throws {
        let database = try TemporaryDatabase()
        let isIll = Recorder<Bool>()
        let store = try DurableStore(
            DurableStoreConfiguration(path: database.path, maximumBatch: 1) { step in
                guard step == .beforeCommit, isIll.count == 1 else { return }
                isIll.add(false)
                throw DatabaseError(resultCode: .SQLITE_IOERR, message: "simulated")
            },
            migrations: testMigrations()
        )
        isIll.add(true)
        let isClosing = DispatchSemaphore(value: 0)
        let codes = Recorder<String>()
        let note: @Sendable (Result<Void, any Error>) -> Void = { result in
            codes.add(#expect(throws: Failure.self) { try result.get() }?.code ?? "committed")
        }
        store.enqueueWrite({ _ in isClosing.wait() }, completion: note)
        store.enqueueWrite({ try $0.db.execute(sql: "INSERT INTO item(id) VALUES ('late')") }, completion: note)
        store.writer.close {}
        isClosing.signal()
        await store.close()
        #expect(codes.all == ["store-io", "store-io"])
        let again = try makeStore(database.path)
        #expect(try await again.strings("SELECT id FROM item").isEmpty)
        await again.close()
    }

    @Test(arguments: StoreStep.allCases, [DatabaseError.SQLITE_IOERR, .SQLITE_FULL])
    func aFailureOfTheCommitFailsEveryUnitOfItsGroup(step: StoreStep, code: ResultCode) async throws {
        let database = try TemporaryDatabase()
        let armed = Recorder<Bool>()
        let store = try makeStore(database.path) { at in
            if at == step, armed.count == 1 { throw DatabaseError(resultCode: code, message: "simulated") }
        }
        try await store.write { try $0.db.execute(sql: "INSERT INTO item(id) VALUES ('before')") }
        armed.add(true)
        let ran = Recorder<Int>()
        let results: [Result<Void, any Error>] = await store.writeEach(
            (0..<5).map { index in
                { transaction in
                    try transaction.db.execute(sql: "INSERT INTO item(id) VALUES (?)", arguments: ["\(index)"])
                    transaction.afterCommit { ran.add(index) }
                }
            }
        )
        armed.add(true)
        for result in results {
            let failure = #expect(throws: Failure.self) { try result.get() }
            #expect(failure?.failureClass == (code == .SQLITE_IOERR ? .fatal : .retryable))
        }
        #expect(ran.all.isEmpty)
        let refused: [Result<Void, any Error>] = await store.writeEach([{ @Sendable _ in }])
        switch code {
        case .SQLITE_IOERR: #expect(throws: Failure.self) { try refused[0].get() }
        default: #expect(throws: Never.self) { try refused[0].get() }
        }
        await store.close()
        let again = try makeStore(database.path)
        let expected = step == .afterCommit ? ["0", "1", "2", "3", "4", "before"] : ["before"]
        #expect(try await again.strings("SELECT id FROM item ORDER BY id") == expected)
        await again.close()
    }

    @Test func ioErrorsInAUnitAreFatalForTheStore() async throws {
        let store = try makeStore()
        let failure = await #expect(throws: Failure.self) { try await store.write { _ in throw ioError } }
        #expect(failure?.code == "store-io")
        let next = await #expect(throws: Failure.self) { try await store.write { _ in } }
        #expect(next?.failureClass == .fatal)
        #expect(store.failure?.code == "store-io")
        await store.close()
    }

    @Test func payloadHashIsMurmur3() {
        #expect(PayloadHashProbe.hex("") == "00000000000000000000000000000000")
        #expect(PayloadHashProbe.hex("hello") == "cbd8a7b341bd9b025b1e906a48ae1d19")
        #expect(PayloadHashProbe.hex("hello, world") == "342fac623a5ebc8e4cdcbc079642414d")
        #expect(PayloadHashProbe.hex("19 Jan 2038 at 3:14:07 AM") == "b89e5988b737affc664fc2950231b2cb")
        #expect(
            PayloadHashProbe.hex("The quick brown fox jumps over the lazy dog.") == "cd99481f9ee902c9695da1a38987b6e7"
        )
    }
}
