import Foundation
import StrictJSON
import Synchronization

/// The clients: `waybill load`, once for the whole run and once for each burst. What they saw is in `history/*.jsonl`.
final class LoadDriver: Sendable {
    private struct State {
        var running = 0
        var bursts = 0
        /// The exit codes of those that have ended, by their names.
        var codes: [String: Int32] = [:]
    }

    /// The name of the load of the whole run.
    private static let main = "main"

    private let installation: Installation
    private let folder: String
    private let orderURL: String
    private let state = Mutex(State())

    /// - Parameters:
    ///   - folder: where histories are written.
    ///   - orderURL: the order service as clients reach it.
    init(_ installation: Installation, folder: String, orderURL: String) {
        self.installation = installation
        self.folder = folder
        self.orderURL = orderURL
    }

    /// Starts the load of the whole run and returns at once.
    func startMain(rate: Int, seconds: Int) {
        start(Self.main, ["--rate", "\(rate)", "--orders", "\(rate * seconds)", "--cards", "all", "--drain", "1"])
    }

    /// Starts a burst and returns its number at once.
    func startBurst(rate: Int, orders: Int) -> Int {
        let number = state.withLock { state in
            state.bursts += 1
            return state.bursts
        }
        let name = Self.name(ofBurst: number)
        start(name, ["--rate", "\(rate)", "--orders", "\(orders)", "--cards", "all", "--drain", "1"])
        return number
    }

    /// Waits until a burst knows of an order what became of it, which is `true`, or has ended without. The program ends by
    /// itself.
    func hasPlaced(inBurst number: Int) async -> Bool {
        let name = Self.name(ofBurst: number)
        while true {
            // In this order: what has ended has written its last line.
            let isOver = state.withLock { $0.codes[name] != nil }
            if let seen = try? Data(contentsOf: URL(fileURLWithPath: history(of: name))), !seen.isEmpty { return true }
            if isOver { return false }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Why the load of the whole run was not carried out; `nil` when it was, or still runs.
    var failure: String? { state.withLock { $0.codes[Self.main] }.flatMap { Self.sentence(forCode: $0) } }

    /// What is wrong when `waybill load` ends with a code. 1 is not: some orders were open a second after the last placement.
    static func sentence(forCode code: Int32) -> String? {
        code < 2 ? nil : "waybill load ended with code \(code); see history/\(main).log"
    }

    private static func name(ofBurst number: Int) -> String { "burst-\(number)" }
    private func history(of name: String) -> String { "\(folder)/\(name).jsonl" }

    /// Clients that still wait for an answer.
    var running: Int { state.withLock { $0.running } }

    private func start(_ name: String, _ arguments: [String]) {
        state.withLock { $0.running += 1 }
        let history = history(of: name)
        let environment = installation.childEnvironment(["WAYBILL_ORDER_URL": orderURL])
        Task {
            let result = try? await Shell.run(
                installation.programs + "/waybill",
                ["load"] + arguments + ["--history", history, "--json"],
                environment: environment,
                errors: "\(folder)/\(name).log"
            )
            state.withLock {
                $0.running -= 1
                // What cannot be started is not carried out either, for which the program's own code is 2.
                $0.codes[name] = result?.code ?? 2
            }
        }
    }
}

/// Counts what the histories of the clients say, reading only what is new each time.
struct HistoryCounts {
    var accepted: Int { outcomes.values.count { $0 == "ok" } }
    var refused: Int { outcomes.values.count { $0 == "fail" } }
    var unknown: Int { outcomes.values.count { $0 == "info" } }
    /// By idempotency key: a request that is repeated is one placement.
    private var outcomes: [String: String] = [:]
    private var offsets: [String: UInt64] = [:]
    private let folder: String

    init(folder: String) {
        self.folder = folder
    }

    /// Placements that came to an end.
    var offered: Int { outcomes.count }

    /// Reads on.
    mutating func update() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasSuffix(".jsonl")
        {
            let path = folder + "/" + name
            guard let file = FileHandle(forReadingAtPath: path) else { continue }
            defer { try? file.close() }
            try? file.seek(toOffset: offsets[name, default: 0])
            guard let data = try? file.readToEnd(), let end = data.lastIndex(of: UInt8(ascii: "\n")) else { continue }
            offsets[name, default: 0] += UInt64(end - data.startIndex + 1)
            for line in data[...end].split(separator: UInt8(ascii: "\n")) {
                guard let value = try? StrictJSON.parse(Array(line)), let key = value["key"]?.stringValue,
                    let outcome = value["outcome"]?.stringValue
                else { continue }
                // Reads of an order that was placed stand there too; an acknowledgement is the last word.
                if outcome != "read", outcomes[key] != "ok" { outcomes[key] = outcome }
            }
        }
    }

    /// Puts all histories into one file, for `waybill verify --history`.
    func join(into path: String) throws {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        guard let out = FileHandle(forWritingAtPath: path) else { throw ChaosFailure("\(path) cannot be written.") }
        defer { try? out.close() }
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where name.hasSuffix(".jsonl")
        {
            let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))
            // The last line may be in the making.
            if let end = data.lastIndex(of: UInt8(ascii: "\n")) { try out.write(contentsOf: data[...end]) }
        }
    }
}

/// How the orders stand, as the active order service counts them.
struct OrderWatch: Sendable {
    let installation: Installation

    /// Orders by status; `nil` when no instance is active.
    func look() async -> [String: Int]? {
        for id in ["order-1", "order-2"] {
            guard let metrics = await installation.metrics(of: id), metrics.contains("\nwaybill_instance_active 1")
            else { continue }
            var counts: [String: Int] = [:]
            for line in metrics.split(separator: "\n") where line.hasPrefix("waybill_orders{status=\"") {
                let parts = line.dropFirst(23).split(separator: "\"", maxSplits: 1)
                guard parts.count == 2, let value = Double(parts[1].drop { $0 != " " }.dropFirst()) else { continue }
                counts[String(parts[0])] = Int(value)
            }
            if !counts.isEmpty { return counts }
        }
        return nil
    }

    /// The words for an order that has ended.
    static let ends: Set<String> = ["completed", "rejected", "cancelled", "needsOperator"]

    /// How many have not ended.
    static func open(_ counts: [String: Int]) -> Int {
        counts.reduce(0) { $0 + (ends.contains($1.key) ? 0 : $1.value) }
    }
}
