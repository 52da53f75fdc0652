import DurableStore
import Foundation
import GRDB
import KitTestSupport
import OrderService
import StrictJSON
import Testing

@testable import Verification

/// `waybill verify` as a process: what scripts rely on.
@Suite struct CommandTests {
    private struct Ended {
        let code: Int32
        let output: String
        let errors: String
    }

    private func program() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") as NSString
        return own.deletingLastPathComponent + "/waybill"
    }

    /// - Parameter isPartial: whether one database out of six files is enough.
    private func verify(_ arguments: String..., isPartial: Bool = true) throws -> Ended {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try program())
        process.arguments = ["verify"] + arguments + (isPartial ? ["--partial"] : [])
        process.environment = ["PATH": "/usr/bin:/bin"]
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let complaint = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Ended(
            code: process.terminationStatus,
            output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: complaint, as: UTF8.self)
        )
    }

    /// Ends it the way a shell does: with SIGPIPE ignored, as the networking library leaves it, and its output somewhere else.
    private func verify(_ folder: String, into output: FileHandle) throws -> (Process.TerminationReason, Int32, String)
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", #"trap '' PIPE; exec "$0" verify --live --no-log --data-dir "$1""#, try program(), folder,
        ]
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let complaint = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationReason, process.terminationStatus, String(decoding: complaint, as: UTF8.self))
    }

    /// `waybill … | head -1` ended in a trap and twenty seconds of back trace.
    @Test func aReaderThatGoesAwayEndsItWithoutAWordAndAFullDiskWithASentence() async throws {
        try await folder { path in
            let pipe = Pipe()
            try pipe.fileHandleForReading.close()
            let gone = try verify(path, into: pipe.fileHandleForWriting)
            #expect(gone == (.uncaughtSignal, SIGPIPE, ""))
            let full = try verify(path, into: try #require(FileHandle(forWritingAtPath: "/dev/full")))
            #expect(full == (.exit, 2, "Standard output cannot be written: No space left on device.\n"))
        }
    }

    /// A data folder with one rejected order; `status` is what the order's row says.
    private func folder(status: String = "rejected", _ body: (String) throws -> Void) async throws {
        let folder = try TemporaryDatabase()
        try FileManager.default.createDirectory(atPath: folder.folder + "/order", withIntermediateDirectories: true)
        let store = try DurableStore(
            DurableStoreConfiguration(path: folder.folder + "/order/order.db"),
            migrations: OrderSchema.migrations
        )
        try await store.write { tx in
            try tx.db.execute(
                sql: """
                    INSERT INTO orders (id, customer, card, currency, total, status, reason, version, placed_at, updated_at)
                        VALUES ('\(order(1))', 'ann', 'tok', 'EUR', 0, '\(status)', 'out-of-stock', 3, 1, 1);
                    INSERT INTO order_history VALUES ('\(order(1))', 1, NULL, 'placed', NULL, 'e1', 1),
                        ('\(order(1))', 2, 'placed', 'awaitingStock', NULL, 'e2', 1),
                        ('\(order(1))', 3, 'awaitingStock', 'rejected', NULL, 'e3', 1);
                    INSERT INTO order_inputs VALUES ('\(order(1))', 1, 'stock-refused', 'applied', 'm1', '', 1);
                    INSERT INTO inbox VALUES ('order.inbox', 'm1', 1, 't', 'handled', NULL, 1);
                    """
            )
        }
        await store.close()
        try body(folder.folder)
    }

    @Test func zeroWhenAllHolds() async throws {
        try await folder { data in
            let ended = try verify("--data-dir", data, "--no-log")
            #expect(ended.code == 0, "\(ended)")
            #expect(ended.output.contains("No violation"))
            #expect(ended.output.contains("O1  the history of an order is a path of its machine"))
            #expect(ended.output.contains("M1  the gateway's ledger was not read"))
        }
    }

    @Test func threeWhenAFileOfTheInstallationIsMissing() async throws {
        try await folder { data in
            let ended = try verify("--data-dir", data, "--no-log", isPartial: false)
            #expect(ended.code == 3)
            #expect(ended.output.contains("No violation"))
            #expect(
                ended.errors.contains("Evidence is missing: \(data)/payment/payment.db. With --partial"),
                "\(ended)"
            )
        }
    }

    @Test func oneWithTheSmallestExampleWhenSomethingIsViolated() async throws {
        try await folder(status: "cancelled") { data in
            let ended = try verify("--data-dir", data, "--no-log", "--settle", "0")
            #expect(ended.code == 1)
            #expect(ended.output.contains("VIOLATED ×1"))
            #expect(ended.output.contains("order \(order(1)) is cancelled v3, its history ends with rejected v3"))
        }
    }

    @Test func oneDocumentOfJSONForPrograms() async throws {
        try await folder(status: "cancelled") { data in
            let ended = try verify("--data-dir", data, "--no-log", "--json")
            #expect(ended.code == 1 && ended.errors.isEmpty)
            let document = try StrictJSON.parse(Array(ended.output.utf8))
            #expect(document["violated"]?.integerValue == 1)
            let checks = document["checks"]?.arrayValue ?? []
            #expect(checks.count == Check.all.count)
            let violated = checks.first { $0["id"]?.stringValue == "O1" }
            #expect(violated?["verdict"]?.stringValue == "violated" && violated?["count"]?.integerValue == 1)
            #expect(violated?["example"]?.stringValue?.contains(order(1)) == true)
            #expect(
                violated?["moment"]?.stringValue == "always"
                    && violated?["lookedAt"]?.stringValue == "1 order, 3 changes"
            )
            let missing = checks.first { $0["id"]?.stringValue == "M1" }
            #expect(missing?["verdict"]?.stringValue == "not-examined" && missing?["reason"]?.stringValue != nil)
        }
    }

    @Test func liveLeavesOutWhatNeedsRest() async throws {
        try await folder { data in
            let ended = try verify("--data-dir", data, "--no-log", "--live", "--json")
            #expect(ended.code == 0)
            let checks = try StrictJSON.parse(Array(ended.output.utf8))["checks"]?.arrayValue ?? []
            #expect(checks.count == Check.all.count { $0.moment == .always })
        }
    }

    @Test func aWatchEndsAfterItsTimeAndAtAViolation() async throws {
        try await folder { data in
            let ended = try verify("--data-dir", data, "--no-log", "--watch", "--every", "100ms", "--for", "1s")
            #expect(ended.code == 0, "\(ended)")
            #expect(ended.output.contains("reading 2: "))
        }
        try await folder(status: "cancelled") { data in
            let ended = try verify("--data-dir", data, "--no-log", "--watch", "--json")
            #expect(ended.code == 1)
            let document = try StrictJSON.parse(Array(ended.output.utf8))
            #expect(document["reading"]?.integerValue == 1 && document["violated"]?.integerValue == 1)
        }
    }

    @Test(arguments: [
        ["--settle", "-1"], ["--for", "3s"], ["--every", "soon", "--watch"], ["--interruptions", "x"], ["--nonsense"],
        [],
    ])
    func twoForWrongUsage(_ arguments: [String]) async throws {
        let ended: Ended =
            switch arguments.count {
            case 0: try verify()
            case 1: try verify(arguments[0])
            case 2: try verify(arguments[0], arguments[1])
            default: try verify(arguments[0], arguments[1], arguments[2])
            }
        #expect(ended.code == 2 && ended.output.isEmpty && !ended.errors.isEmpty, "\(ended)")
    }

    @Test func threeWhenEvidenceIsMissing() async throws {
        let empty = try verify("--data-dir", "/nonexistent/data", "--no-log")
        #expect(empty.code == 3 && empty.errors.contains("/nonexistent/data"))
        try await folder { data in
            let ended = try verify("--data-dir", data, "--no-log", "--history", "/nonexistent/load.jsonl")
            #expect(ended.code == 3 && ended.errors.contains("/nonexistent/load.jsonl"))
            try Data("this is no database, and long enough to be seen as none".utf8).write(
                to: URL(fileURLWithPath: data + "/order/order.db")
            )
            let damaged = try verify("--data-dir", data, "--no-log", "--settle", "0")
            #expect(damaged.code == 3 && damaged.errors.contains("cannot be read"))
        }
    }
}
