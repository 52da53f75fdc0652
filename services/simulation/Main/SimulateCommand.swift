import ArgumentParser
import Commerce
import Foundation
import Messaging
import StrictJSON
import Terminal
import WaybillSimulation

/// `waybill simulate`: the command goes on as this program.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "waybill simulate",
        abstract: "Run the whole system in memory, with one seed that decides every fault and every interleaving.",
        discussion: """
            The real handlers, sagas, relays and webhooks over real SQLite in memory; brokers, gateway, subscribers and customers
            are simulated. First faults strike, then everything works again and must come to rest; every invariant is checked at
            both moments. The same seed does the same things in the same order: its trace hash is the same in every process.

            Examples:
              waybill simulate --seed 17 --orders 50 --trace
              waybill simulate --seeds 1..10000 --orders 50
              waybill simulate --seeds 1..60 --require-situations

            Exit codes: 0 nothing went wrong, 1 a seed failed or a required situation was missed, 2 it could not be carried out.
            """,
        version: Release.version
    )
    @Option(name: .long, help: "One seed; prints its trace hash.") var seed: UInt64?
    @Option(name: .long, help: "A range of seeds: 1..1000.") var seeds: String?
    @Option(name: .long, help: "Orders in each seed, 1…1,000.") var orders = 50
    @Option(name: .long, help: "Kinds of faults to leave out, separated by commas; `all` for none at all.")
    var without = ""
    @Option(name: .long, help: "Only these orders, by number from 0, separated by commas.") var only: String?
    @Option(name: .long, help: "Worlds at the same time.") var workers = 2
    @Flag(name: .long, help: "Print what happened, line by line. Needs --seed.") var trace = false
    @Flag(name: .long, help: "Fail when a situation of the catalogue was not met by any seed.") var requireSituations =
        false
    @Flag(name: .long, help: "List the kinds of faults, the situations and the guards, and do nothing.") var list =
        false
    @Option(name: .long, help: "Switch this guard off (debug builds only).") var sabotage: String?
    @OptionGroup var common: CommonOptions

    func run() async throws {
        Self.runWithFixedHashing()
        if list { return printCatalogue() }
        guard (1...1000).contains(orders), (1...64).contains(workers) else {
            throw CommandEnd.failed("--orders is 1 to 1,000, --workers 1 to 64.")
        }
        if let sabotage {
            guard Sabotage.isPossible else { throw CommandEnd.failed("A release build has no guards to switch off.") }
            guard Guard.all.contains(where: { $0.name == sabotage }) else {
                throw CommandEnd.failed("There is no guard named \(sabotage); --list shows them.")
            }
        }
        do {
            if let seed {
                try await runOne(seed)
            } else if let range = try range() {
                try await runMany(range)
            } else {
                throw CommandEnd.failed("Give --seed N or --seeds A..B.")
            }
        } catch let fault as SimulationFault {
            throw CommandEnd.failed("The simulation could not be carried out: \(fault)")
        }
    }

    /// Sets and dictionaries are walked in another order in each process, unless the process was told not to at its start.
    private static func runWithFixedHashing() {
        let name = "SWIFT_DETERMINISTIC_HASHING"
        guard ProcessInfo.processInfo.environment[name] == nil else { return }
        setenv(name, "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv("/proc/self/exe", &arguments)
        Console.error(
            "The process could not be started again with fixed hashing; hashes will differ between processes."
        )
    }

    private func range() throws -> ClosedRange<UInt64>? {
        guard let seeds else { return nil }
        let parts = seeds.split(separator: ".", omittingEmptySubsequences: true).map { UInt64($0) }
        guard parts.count == 2, let first = parts[0], let last = parts[1], first <= last else {
            throw CommandEnd.failed("--seeds is a range such as 1..1000.")
        }
        return first...last
    }

    private func leftOut() throws -> Set<FaultKind> {
        if without == "all" { return Set(FaultKind.allCases) }
        return Set(
            try without.split(separator: ",").map { name in
                guard let kind = FaultKind(rawValue: String(name)) else {
                    throw CommandEnd.failed("There is no kind of fault named \(name); --list shows them.")
                }
                return kind
            }
        )
    }

    private func printCatalogue() {
        if common.json {
            func names(_ all: [String]) -> JSONValue { .array(all.map { .string($0) }) }
            return JSONOutput.print(
                .object([
                    "faults": names(FaultKind.allCases.map(\.rawValue)),
                    "situations": names(Situation.allCases.map(\.rawValue)),
                    "guards": .array(
                        Guard.all.map { .object(["name": .string($0.name), "mistake": .string($0.mistake)]) }
                    ),
                ])
            )
        }
        for kind in FaultKind.allCases { Console.print("fault      \(kind.rawValue)") }
        for situation in Situation.allCases { Console.print("situation  \(situation.rawValue)") }
        for one in Guard.all { Console.print("guard      \(one.name)  \(one.mistake)") }
    }

    // MARK: One seed

    private func runOne(_ seed: UInt64) async throws {
        let limit = try only.map { text in
            Set(
                try text.split(separator: ",").map { part in
                    guard let number = Int(part), number >= 0 else {
                        throw CommandEnd.failed("--only lists numbers from 0.")
                    }
                    return number
                }
            )
        }
        let report = try await SimulationReport.run(
            seed: seed,
            orders: orders,
            without: try leftOut(),
            limitedTo: limit,
            keepsTrace: trace,
            sabotage: sabotage
        )
        if common.json {
            JSONOutput.print(document(report))
        } else {
            for line in report.trace { Console.print(line) }
            Console.print(
                "seed \(seed)  hash \(report.traceHash)  \(report.steps) steps, \(report.faults.values.reduce(0, +)) faults of "
                    + "\(report.faults.count) kinds, at rest \(report.healingMilliseconds / 1000) s after the last"
            )
            for violation in report.violations {
                Console.print(Console.colored("\(violation.id)  ", .bad) + Console.safe(violation.what))
            }
        }
        if !report.violations.isEmpty { throw CommandEnd.no() }
    }

    // MARK: Many seeds

    private func runMany(_ range: ClosedRange<UInt64>) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let campaign = Campaign(
            seeds: range,
            orders: orders,
            without: try leftOut(),
            sabotage: sabotage,
            workers: workers,
            maximumFailures: sabotage == nil ? 5 : 1
        )
        let bar = ProgressBar("simulating")
        let total = min(Int64(clamping: range.upperBound - range.lowerBound), .max - 1) + 1
        let summary = try await campaign.run { summary in
            if Console.showsProgress {
                bar.show(Int64(summary.seeds), of: total, note: "\(summary.failures.count) failed")
            }
        }
        bar.clear()
        let seconds = Double((clock.now - start).components.seconds) + 0.001
        let cpu = String(format: "%.2f", Self.cpuSeconds() * 1000 / Double(max(1, summary.orders)))
        if common.json {
            JSONOutput.print(document(summary))
        } else {
            Console.print(
                "\(summary.seeds) seeds, \(summary.orders) orders, \(summary.faults.values.reduce(0, +)) faults of "
                    + "\(summary.faults.count) kinds in \(Int(seconds)) s (\(Int(Double(summary.orders) / seconds)) orders/s), "
                    + "\(cpu) ms of CPU time per order; the longest way to rest took \(summary.longestHealing / 1000) s of simulated time"
            )
        }
        if !summary.failures.isEmpty {
            for report in summary.failures { Self.tell(report) }
            if sabotage == nil, !common.json, let first = summary.failures.first,
                let short = try await Shortening(first)
            {
                Self.tell(short)
            }
            throw CommandEnd.no("\(summary.failures.count) of \(summary.seeds) seeds failed.")
        }
        if requireSituations, !summary.missed.isEmpty {
            throw CommandEnd.no("Never met: " + summary.missed.map(\.rawValue).sorted().joined(separator: "; "))
        }
    }

    /// CPU time of this process, user and system.
    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func tell(_ report: SimulationReport) {
        guard let first = report.violations.first else { return }
        Console.error("seed \(report.seed): \(first.id): \(Console.safe(first.what))")
        Console.error("    again: waybill simulate --seed \(report.seed) --orders \(report.orders) --trace")
    }

    private static func tell(_ short: Shortening) {
        Console.error("shortened: waybill simulate \(short.arguments) --trace")
        for line in short.report.trace.suffix(60) { Console.error("    " + Console.safe(line)) }
        for violation in short.report.violations.prefix(3) {
            Console.error("    \(violation.id): \(Console.safe(violation.what))")
        }
    }

    // MARK: JSON

    private func document(_ report: SimulationReport) -> JSONValue {
        .object([
            "seed": .string(String(report.seed)), "orders": .integer(Int64(report.orders)),
            "traceHash": .string(report.traceHash), "steps": .integer(Int64(report.steps)),
            "healingMilliseconds": .integer(report.healingMilliseconds),
            "unexamined": .array(report.unexamined.map { .string($0) }),
            "faults": counts(report.faults.map { ($0.key.rawValue, $0.value) }),
            "situations": counts(report.situations.map { ($0.key.rawValue, $0.value) }),
            "violations": .array(
                report.violations.map { .object(["id": .string($0.id), "what": .string($0.what)]) }
            ),
        ])
    }

    private func document(_ summary: Campaign.Summary) -> JSONValue {
        .object([
            "seeds": .integer(Int64(summary.seeds)), "orders": .integer(Int64(summary.orders)),
            "steps": .integer(Int64(summary.steps)),
            "faults": counts(summary.faults.map { ($0.key.rawValue, $0.value) }),
            "situations": counts(summary.situations.map { ($0.key.rawValue, $0.value) }),
            "missed": .array(summary.missed.map { .string($0.rawValue) }),
            "traceHashes": .object(traceHashes(summary)),
            "failed": .array(
                summary.failures.map { report in
                    .object([
                        "seed": .string(String(report.seed)), "id": .string(report.violations.first?.id ?? ""),
                        "what": .string(report.violations.first?.what ?? ""),
                    ])
                }
            ),
        ])
    }

    private func traceHashes(_ summary: Campaign.Summary) -> JSONObject {
        var object = JSONObject()
        for (seed, hash) in summary.hashes.sorted(by: { $0.key < $1.key }) { object[String(seed)] = .string(hash) }
        return object
    }

    private func counts(_ pairs: [(String, Int)]) -> JSONValue {
        var object = JSONObject()
        for (name, count) in pairs.sorted(by: { $0.0 < $1.0 }) { object[name] = .integer(Int64(count)) }
        return .object(object)
    }
}
