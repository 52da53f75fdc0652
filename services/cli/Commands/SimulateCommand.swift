import ArgumentParser
import Foundation
import Terminal

/// `waybill simulate`, which is a program of its own: it has all five services inside, and this one has none.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run the whole system in memory, with one seed that decides every fault and every interleaving.",
        discussion: """
            All options: waybill simulate --help

            Examples:
              waybill simulate --seed 17 --orders 50 --trace
              waybill simulate --seeds 1..10000 --orders 50
            """
    )
    @Argument(parsing: .captureForPassthrough, help: "What the simulation is to do.") var arguments: [String] = []

    func run() async throws {
        let program = OtherProgram.folder + "/waybill-simulate"
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw CommandEnd.failed(
                "There is no \(program). Build it with: swift build -c release --product waybill-simulate"
            )
        }
        try OtherProgram.become(program, arguments)
    }
}
