import ArgumentParser
import Foundation
import Terminal

/// `waybill chaos`
struct ChaosCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Break a whole system of its own on purpose, heal it, and have it verified.",
        subcommands: [ChaosRunCommand.self, ChaosCheckCommand.self]
    )
}

/// `waybill chaos run`
struct ChaosRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "A run: faults by a seed, peace, the verdict.",
        discussion: """
            Starts an installation of its own, with a standby of each service and a proxy on every link; the one that runs is left
            alone. The same as scripts/chaos.sh; docs/chaos.md says what is done.

            Examples:
              waybill chaos run --quick
              waybill chaos run --seed 7 --minutes 60
              waybill chaos run --no-build --folder /tmp/chaos --json

            Exit codes: 0 nothing is violated, 1 something is, 2 it could not be carried out.
            """
    )
    @Option(name: .long, help: "Decides the plan of faults; a new one unless given.") var seed: UInt64?
    @Option(name: .long, help: "Minutes of faults; 12 unless given.") var minutes: Double?
    @Option(name: .long, help: "Orders a second; 21 unless given.") var rate: Int?
    @Option(name: .long, help: "Faults a minute, about; 42 unless given.") var faults: Int?
    @Flag(name: .long, help: "3 minutes, 14 orders a second, 30 faults a minute.") var quick = false
    @Option(name: .long, help: "Where everything of the run goes; must not exist. .build/chaos/TIME unless given.")
    var folder: String?
    @Flag(name: .long, help: "Use the programs as they are built.") var noBuild = false
    @OptionGroup var common: CommonOptions

    /// The words for the script. What --quick sets comes first, so that it can be changed.
    var arguments: [String] {
        var words = quick ? ["--quick"] : []
        if let seed { words += ["--seed", "\(seed)"] }
        if let minutes { words += ["--minutes", "\(minutes)"] }
        if let rate { words += ["--rate", "\(rate)"] }
        if let faults { words += ["--faults", "\(faults)"] }
        if let folder { words += ["--folder", folder] }
        if noBuild { words.append("--no-build") }
        if common.json { words.append("--json") }
        return words
    }

    func run() async throws { try ChaosScript.become(arguments) }
}

/// `waybill chaos check`
struct ChaosCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Verify what an earlier run kept once more.",
        discussion: """
            Example:
              waybill chaos check .build/chaos/20260101-120000-4711

            Exit codes: 0 all hold, 1 something is violated, 2 it could not be carried out, 3 evidence is missing.
            """
    )
    @Argument(help: "The folder of the run.") var folder: String
    @OptionGroup var common: CommonOptions

    func run() async throws { try ChaosScript.become(["--check", folder] + (common.json ? ["--json"] : [])) }
}

/// `scripts/chaos.sh`, which builds, finds the programs, and cleans up whatever happens.
private enum ChaosScript {
    /// - Throws: ``CommandEnd`` when it cannot be started; otherwise there is no way back.
    static func become(_ arguments: [String]) throws(CommandEnd) {
        guard let root = ProcessInfo.processInfo.environment["WAYBILL_ROOT"], !root.isEmpty else {
            throw .failed("WAYBILL_ROOT is not set. Call this through scripts/waybill.")
        }
        try OtherProgram.become(root + "/scripts/chaos.sh", arguments)
    }
}
