import Foundation
import Testing

@testable import ServiceKit

@Suite("Memory after the start")
struct StartupTextTests {
    #if os(Linux)
    @Test("text that only the start needed is given back, and the program goes on")
    func release() throws {
        #expect(!StartupText.mappings().isEmpty)
        let before = try residentFilePages()
        StartupText.release()
        let after = try residentFilePages()
        #expect(after < before, "\(before) pages before, \(after) after")
        // Whatever was given back is there when it is needed.
        #expect(try JSONDecoder().decode([String: Int].self, from: Data(#"{"a":1}"#.utf8)) == ["a": 1])
    }

    @Test("the text of a library at the far end of a long list is found")
    func allMappings() throws {
        let symbol = try #require(dlsym(nil, "sqlite3_libversion"))
        #expect(StartupText.mappings().contains { ($0.start..<$0.end).contains(UInt(bitPattern: symbol)) })
    }

    /// Resident pages that are mapped from files.
    private func residentFilePages() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return try #require(Int(text.split(separator: " ")[2]))
    }
    #endif
}
