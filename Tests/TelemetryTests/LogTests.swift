import Logging
import StrictJSON
import Synchronization
import Telemetry
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Keeps the lines.
final class MemoryLogOutput: LogOutput {
    private let kept = Mutex<[[UInt8]]>([])

    func write(line: [UInt8]) { kept.withLock { $0.append(line) } }

    var lines: [[UInt8]] { kept.withLock { $0 } }

    func objects() throws -> [JSONValue] {
        try lines.map { try StrictJSON.parse($0, limits: JSONLimits(maxStringBytes: .max)) }
    }
}

@Suite("JSON logs")
struct LogTests {
    private func logger(
        _ output: MemoryLogOutput,
        level: Logger.Level = .trace,
        provider: Logger.MetadataProvider? = nil
    ) -> Logger {
        Logger(label: "test") { label in
            JSONLogHandler(
                label: label,
                service: "svc",
                instance: "2",
                logLevel: level,
                metadataProvider: provider,
                output: output,
                clock: { (1_700_000_000, 7_000_000) }
            )
        }
    }

    @Test("one event is one object on one line")
    func shape() throws {
        let output = MemoryLogOutput()
        var logger = logger(output, provider: .init { ["provided": "p"] })
        logger[.messageID] = "m-1"
        logger.info("settled\nnow", metadata: .fields([.attempt: "3", "list": ["a", ["b": "c"]]]))
        let line = try #require(output.objects().first)
        #expect(
            line == [
                "ts": "2023-11-14T22:13:20.007Z", "level": "info", "msg": "settled\nnow", "service": "svc",
                "instance": "2",
                "logger": "test", "attempt": "3", "list": ["a", ["b": "c"]], "message.id": "m-1", "provided": "p",
            ]
        )
        #expect(output.lines.first?.contains(0x0A) == false)
    }

    @Test("levels are respected")
    func levels() {
        let output = MemoryLogOutput()
        let logger = logger(output, level: .warning)
        logger.info("no")
        logger.error("yes")
        #expect(output.lines.count == 1)
    }

    @Test("the trace of the task and the error are in the line")
    func traceAndError() throws {
        struct Broken: Error, CustomStringConvertible { var description: String { "it broke" } }
        let output = MemoryLogOutput()
        let logger = logger(output)
        let trace = TraceContext.root()
        TraceContext.$current.withValue(trace) { logger.error("failed", error: Broken()) }
        let line = try #require(output.objects().first)
        #expect(line["trace_id"]?.stringValue == trace.traceID.description)
        #expect(line["span_id"]?.stringValue == trace.spanID.description)
        #expect(line["error"] == "it broke")
        #expect(line["error.type"] == "Broken")
    }

    @Test(
        "secrets and payloads are not written",
        arguments: ["token", "http.authorization", "db.Password", "payload", "a.b.body", "card"]
    )
    func redaction(key: String) throws {
        let output = MemoryLogOutput()
        logger(output).info("x", metadata: [key: "canary-4111", "deep": [key: "canary-4111"]])
        let text = String(decoding: try #require(output.lines.first), as: UTF8.self)
        #expect(!text.contains("canary"))
        #expect(text.contains("[redacted]"))
    }

    @Test("fields cannot take the place of the fixed ones, forge lines or steer terminals")
    func injection() throws {
        let output = MemoryLogOutput()
        logger(output).info(
            "x",
            metadata: ["level": "fatal", "a": "\u{1B}[2J\u{202E}\"}\n{\"level\":\"info\"", "\"": "q"]
        )
        let line = try #require(output.objects().first)
        #expect(line["level"] == "info")
        let bytes = try #require(output.lines.first)
        #expect(bytes.allSatisfy { $0 >= 0x20 })
        #expect(!String(decoding: bytes, as: UTF8.self).unicodeScalars.contains("\u{202E}"))
    }

    @Test("a line stays under its bound whatever is logged", arguments: 0..<10)
    func bound(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let output = MemoryLogOutput()
        let logger = logger(output)
        func value(_ depth: Int) -> Logger.MetadataValue {
            switch Int.random(in: 0..<(depth > 0 ? 4 : 2), using: &random) {
            case 0: return .string(String(repeating: "\u{1}", count: Int.random(in: 0...1500, using: &random)))
            case 1: return .string(String(repeating: "€", count: Int.random(in: 0...500, using: &random)))
            case 2: return .array((0..<Int.random(in: 0...6, using: &random)).map { _ in value(depth - 1) })
            default:
                let keys = (0..<Int.random(in: 0...6, using: &random)).map { "k\($0)" }
                return .dictionary(Dictionary(uniqueKeysWithValues: keys.map { ($0, value(depth - 1)) }))
            }
        }
        for _ in 0..<10 {
            var metadata: Logger.Metadata = [:]
            for index in 0..<Int.random(in: 0...10, using: &random) { metadata["key\(index)"] = value(2) }
            logger.info(
                "\(String(repeating: "m", count: Int.random(in: 0...5000, using: &random)))",
                metadata: metadata
            )
        }
        #expect(output.lines.count == 10)
        #expect(output.lines.allSatisfy { $0.count <= 8192 })
        for line in try output.objects() { #expect(line["level"] == "info") }
    }

    @Test("a blocked reader costs lines, not time, and is told about it", .timeLimit(.minutes(1)))
    func blockedPipe() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let reader = ends[0]
        let writer = ends[1]
        defer { close(reader) }
        let output = FileDescriptorLogOutput(descriptor: writer, maxBufferedBytes: 10_000)
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 999)
        // The kernel's buffer fills up first; from then on the queue is stuck in its write.
        repeat {
            for _ in 0..<10 { output.write(line: line) }
        } while output.flush(timeout: .milliseconds(100))
        let dropped = output.droppedLines
        for _ in 0..<100 { output.write(line: line) }
        #expect(output.droppedLines - dropped >= 90)

        // The reader wakes up: what was taken comes through whole, then the notice.
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !text.contains("log lines dropped") {
            let count = read(reader, &buffer, buffer.count)
            guard count > 0 else { break }
            text += String(decoding: buffer[..<count], as: UTF8.self)
            output.write(line: Array("after".utf8))
        }
        #expect(text.contains("\"msg\":\"log lines dropped\",\"dropped\":"))
        #expect(output.flush(timeout: .seconds(10)))
        close(writer)
    }

    @Test("a reader that is gone is no disaster")
    func closedPipe() throws {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        let output = FileDescriptorLogOutput(descriptor: ends[1])
        output.write(line: [1, 2, 3])
        #expect(output.flush())
        #expect(output.droppedLines == 1)
        close(ends[1])
    }

    @Test(
        "times",
        arguments: [
            (0 as Int64, "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
            (4_102_444_799, "2099-12-31T23:59:59.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.000Z"),
            (68_169_600, "1972-02-29T00:00:00.000Z"),
        ]
    )
    func times(seconds: Int64, expected: String) throws {
        let output = MemoryLogOutput()
        Logger(label: "t") {
            JSONLogHandler(label: $0, service: "s", instance: "1", output: output, clock: { (seconds, 0) })
        }.info("x")
        #expect(try output.objects().first?["ts"]?.stringValue == expected)
    }
}
