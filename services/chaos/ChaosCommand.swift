public import ArgumentParser
import Foundation
import Glibc
import StrictJSON
import Terminal

/// `waybill-chaos`
public struct ChaosCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "waybill-chaos",
        abstract: "Break the whole system on purpose, heal it, and have it verified.",
        discussion: """
            Called by scripts/chaos.sh, which builds the programs and finds them.

            The same seed gives the same plan of faults; the moments at which the processes are hit are never the same twice.
            Exit codes: 0 nothing is violated, 1 something is, 2 the run could not be carried out.
            """
    )
    @Option(help: "Decides the plan; a new one unless given.") var seed: UInt64?
    @Option(help: "Minutes of faults.") var minutes = 12.0
    @Option(help: "Orders a second, besides bursts.") var rate = 21
    @Option(help: "Faults a minute, about.") var faultsPerMinute = 42
    @Option(help: "The most faults at the same time.") var atOnce = 4
    @Option(help: "Seconds between looks of the verifier during the run.") var checkEvery = 60
    @Flag(help: "Give databases, gateway and event log disks that can be made full; needs the right to mount.")
    var disks = false
    @Flag(help: "Print the report as JSON.") var json = false
    @Option(help: "The repository.") var root: String
    @Option(help: "The folder with the programs.") var programs: String
    @Option(help: "Where everything of this run goes; must not exist.") var folder: String

    public init() {}

    public func validate() throws {
        guard minutes > 0, minutes <= 24 * 60, (1...10_000).contains(rate), (1...600).contains(faultsPerMinute),
            (1...32).contains(atOnce), checkEvery > 0
        else {
            throw ValidationError("--minutes, --rate, --faults-per-minute, --at-once and --check-every are above 0.")
        }
    }

    public func run() async throws {
        let seed = seed ?? UInt64.random(in: 1...999_999_999)
        guard !FileManager.default.fileExists(atPath: folder) else {
            throw CommandEnd.failed("\(folder) exists already; a run keeps everything in a folder of its own.")
        }
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let view = LiveView(seed: seed)
        let signals = Self.endOnSignals(view)
        defer { for signal in signals { signal.cancel() } }
        let run = ChaosRun(
            options: ChaosRun.Options(
                seed: seed,
                seconds: max(1, Int(minutes * 60)),
                rate: rate,
                density: ChaosPlan.Density(perMinute: faultsPerMinute, atOnce: atOnce),
                root: root,
                programs: programs,
                folder: folder,
                hasDisks: disks,
                checkEvery: checkEvery
            ),
            view: view
        )
        let report: ChaosReport
        do {
            report = try await run.run()
        } catch {
            throw CommandEnd.failed("\(error)")
        }
        let document = StrictJSON.encode(report.json)
        try Data(document).write(to: URL(fileURLWithPath: folder + "/report.json"))
        try Data((report.markdown + "\n").utf8).write(to: URL(fileURLWithPath: folder + "/report.md"))
        if json { JSONOutput.print(report.json) } else { Console.print(report.markdown) }
        Console.error("Everything is in \(folder); look again with scripts/chaos.sh --check \(folder)")
        if report.exitCode != 0 { throw CommandEnd(code: report.exitCode) }
    }

    /// SIGINT and SIGTERM give the terminal back and end the clients and tools that we have started; chaos.sh then stops the
    /// installation.
    private static func endOnSignals(_ view: LiveView) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                view.leave()
                Shell.endAll()
                Glibc.exit(128 + number)
            }
            source.resume()
            return source
        }
    }
}
