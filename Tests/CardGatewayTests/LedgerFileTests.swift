import Foundation
import KitTestSupport
import Messaging
import Testing

@testable import CardGateway

@Suite struct LedgerFileTests {
    /// A ledger with `count` lines, as its bytes.
    func ledger(_ folder: TemporaryFolder, lines count: Int) async throws -> [UInt8] {
        let gateway = try CardGateway(
            configuration: configuration(folder),
            clock: ManualClock(),
            callbacks: NoCallbacks()
        )
        for number in 1...count { _ = await gateway.perform(authorize("k\(number)", order: "o\(number)")) }
        gateway.close()
        return try folder.read()
    }

    @Test func whatWasAnsweredIsThereAfterReopening() async throws {
        let folder = try TemporaryFolder()
        _ = try await ledger(folder, lines: 5)
        let gateway = try CardGateway(
            configuration: configuration(folder),
            clock: ManualClock(),
            callbacks: NoCallbacks()
        )
        defer { gateway.close() }
        for number in 1...5 {
            let known = try await gateway.operation(forKey: "k\(number)")
            #expect(known?.reference == "o\(number)")
            #expect(await gateway.perform(authorize("k\(number)", order: "o\(number)")).entry == known)
        }
        #expect(await gateway.perform(authorize("k6")).entry?.seq == 6)
    }

    @Test func aTornLastLineIsCutAtEveryByte() async throws {
        let folder = try TemporaryFolder()
        let whole = try await ledger(folder, lines: 3)
        let ends = whole.indices.filter { whole[$0] == 0x0A }.map { $0 + 1 }
        for length in stride(from: ends[1], to: ends[2], by: 7) {
            try folder.write(Array(whole[..<length]))
            let (file, book, _) = try LedgerFile.open(path: folder.ledger)
            file.close()
            #expect(book.lastSeq == 2)
            #expect(try folder.read() == Array(whole[..<ends[1]]))
        }
    }

    @Test func damageInTheMiddleStopsTheGateway() async throws {
        let folder = try TemporaryFolder()
        let whole = try await ledger(folder, lines: 3)
        for position in stride(from: 0, to: whole.count - 1, by: 11)
        where whole[position] != 0x0A && whole[position + 1] != 0x0A {
            var damaged = whole
            damaged[position] ^= 0x01
            guard damaged[position] != 0x0A else { continue }
            try folder.write(damaged)
            #expect(throws: LedgerFault.self) { try LedgerFile.open(path: folder.ledger) }
        }
    }

    @Test func aRemovedLineIsNoticed() async throws {
        let folder = try TemporaryFolder()
        let whole = try await ledger(folder, lines: 3)
        let first = try #require(whole.firstIndex(of: 0x0A))
        try folder.write(Array(whole[(first + 1)...]))
        #expect(throws: LedgerFault.self) { try LedgerFile.open(path: folder.ledger) }
    }

    @Test func twoGatewaysCannotShareALedger() async throws {
        let folder = try TemporaryFolder()
        let (file, _, _) = try LedgerFile.open(path: folder.ledger)
        #expect(throws: LedgerFault.self) { try LedgerFile.open(path: folder.ledger) }
        file.close()
        try LedgerFile.open(path: folder.ledger).file.close()
    }

    @Test func linesAreReadBackWhole() async throws {
        let folder = try TemporaryFolder()
        let gateway = try CardGateway(
            configuration: configuration(folder),
            clock: ManualClock(),
            callbacks: NoCallbacks()
        )
        defer { gateway.close() }
        for number in 1...20 { _ = await gateway.perform(authorize("k\(number)")) }
        let all = try folder.read()
        #expect(try await gateway.ledger(after: 0, limit: 100) == all)
        let some = try await gateway.ledger(after: 5, limit: 3)
        #expect(some.split(separator: 0x0A).count == 3)
        #expect(String(decoding: some, as: UTF8.self).contains("\"key\":\"k6\""))
        #expect(try await gateway.ledger(after: 20, limit: 100) == [])
        #expect(try await gateway.ledger(after: 1_000_000, limit: 100) == [])
    }
}
