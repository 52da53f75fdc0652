import Commerce
import DurableStore
import GRDB
import KitTestSupport
import Messaging
import PaymentCore
import Testing

@testable import PaymentService

/// The database itself refuses what would break the ledger's promises.
@Suite struct LedgerTests {
    func harness() async throws -> Harness {
        let harness = try Harness()
        try await harness.authorize()
        try await harness.pass(.seconds(1))
        try await harness.capture()
        try await harness.pass(.seconds(1))
        return harness
    }

    @Test(arguments: [
        "UPDATE ledger_entries SET amount = 1", "DELETE FROM ledger_entries",
        "UPDATE ledger_transactions SET posted_at = 1",
        "DELETE FROM ledger_transactions", "UPDATE payment_history SET reason = 'x'", "DELETE FROM payment_history",
        "DELETE FROM intents", "UPDATE intents SET key = 'x'",
        "UPDATE intents SET state = 'unknown' WHERE state = 'succeeded'",
        "INSERT INTO ledger_entries VALUES (1, 3, 'revenue', 1, 'EUR')",
        "INSERT INTO ledger_transactions SELECT 2, 'other', order_id, 'capture', 1, hash, printf('%064d', 1) FROM ledger_transactions",
        "INSERT INTO ledger_transactions SELECT 5, 'other', order_id, 'capture', 1, hash, printf('%064d', 1) FROM ledger_transactions",
    ])
    func tamperingAborts(_ sql: String) async throws {
        let harness = try await harness()
        await #expect(throws: (any Error).self) {
            try await harness.store.write { tx in try tx.db.execute(sql: sql) }
        }
        #expect(try await harness.violations() == [])
    }

    @Test func entriesThatDoNotSumToZeroAreRefused() async throws {
        let harness = try await harness()
        await #expect(throws: (any Error).self) {
            try await harness.store.write { tx in
                try tx.db.execute(
                    sql: """
                        INSERT INTO ledger_entries VALUES (2, 1, 'revenue', 5, 'EUR'), (2, 2, 'card_clearing', -4, 'EUR');
                        INSERT INTO ledger_transactions SELECT 2, 'other', order_id, 'capture', 1, hash, printf('%064d', 1)
                        FROM ledger_transactions
                        """
                )
            }
        }
    }

    @Test func aSourceEventIsBookedOnce() async throws {
        let harness = try await harness()
        let key = try #require(harness.gateway.entry(.capture, orderID(1).text)).key
        await #expect(throws: (any Error).self) {
            try await harness.store.write { tx in
                try LedgerTable.post(
                    .capture(tenEuros, to: .revenue),
                    sourceEvent: key,
                    orderID: orderID(1),
                    at: tx.now,
                    in: tx.db
                )
            }
        }
        #expect(try await harness.integer("SELECT count(*) FROM ledger_transactions") == 1)
    }
}
