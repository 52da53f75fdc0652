import Foundation
import Testing

@testable import Chaos

/// How the placements of a run are counted while their histories grow.
struct HistoryCountsTests {
    /// The regression: each read of an order counted as a placement without an answer, each repeated request as another order.
    @Test("Placements are counted once, by their outcome, and what is read of an order later is none")
    func counts() throws {
        let folder = NSTemporaryDirectory() + "chaos-history-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var counts = HistoryCounts(folder: folder)
        let lines = [
            #"{"key":"a","outcome":"ok","order":"1","answer":"x"}"#, #"{"key":"a","outcome":"read","status":200}"#,
            #"{"key":"a","outcome":"ok","order":"1","answer":"x"}"#,
            #"{"key":"a","outcome":"info","reason":"timeout"}"#,
            #"{"key":"b","outcome":"fail","status":422}"#, #"{"key":"c","outcome":"info","reason":"timeout"}"#,
            #"{"key":"d","outco"#,
        ]
        try lines.joined(separator: "\n").write(toFile: folder + "/main.jsonl", atomically: true, encoding: .utf8)
        for _ in 0..<2 {
            counts.update()
            #expect(counts.accepted == 1 && counts.refused == 1 && counts.unknown == 1 && counts.offered == 3)
        }
        try (lines.joined(separator: "\n") + #"me":"ok","order":"2","answer":"x"}"# + "\n")
            .write(toFile: folder + "/main.jsonl", atomically: true, encoding: .utf8)
        counts.update()
        #expect(counts.accepted == 2 && counts.offered == 4)
    }
}
