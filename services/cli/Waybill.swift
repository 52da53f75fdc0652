import ArgumentParser

/// The `waybill` command.
@main
struct Waybill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "waybill",
        abstract: "Place orders, watch them, look into the machinery, and prove that nothing went wrong.",
        discussion: """
            Start everything with scripts/up.sh, then:

              waybill order place --sku MUG-STONEWARE --wait
              waybill events tail
              waybill load --rate 50 --duration 20
              waybill verify

            Every verb takes --json. Exit codes: 0 done, 1 the answer is no, 2 it could not be carried out.
            Shell completions: waybill --generate-completion-script bash|zsh|fish
            """,
        version: "0.1.0",
        subcommands: [
            OrderCommand.self, StockCommand.self, CatalogCommand.self, EventsCommand.self, OutboxCommand.self,
            DeadLetterCommand.self, AnalyticsCommand.self, WebhookCommand.self, LoadCommand.self, VerifyCommand.self,
            SimulateCommand.self, ChaosCommands.self, DoctorCommand.self,
        ]
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let end as CommandEnd {
            Console.error(end.sentence)
            exit(withCode: end.code)
        } catch {
            // ArgumentParser's own errors: usage (its code 64 becomes our 2), help and version (0).
            let code = exitCode(for: error)
            if code == .success { exit(withError: error) }
            Console.error(fullMessage(for: error))
            exit(withCode: 2)
        }
    }

    private static func exit(withCode code: Int32) -> Never {
        exit(withError: ExitCode(code))
    }
}

/// The way a command ends when it does not end well.
struct CommandEnd: Error {
    /// 1: the answer is no. 2: it could not be carried out. 3: what it needs to look at is missing (`verify` only).
    let code: Int32
    /// What to tell, with what to do next; empty when everything has been said.
    let sentence: String

    /// The answer is no.
    static func no(_ sentence: String = "") -> CommandEnd { CommandEnd(code: 1, sentence: sentence) }
    /// What it was to look at is not there or cannot be read.
    static func missing(_ sentence: String) -> CommandEnd { CommandEnd(code: 3, sentence: sentence) }
    /// It could not be carried out.
    static func failed(_ sentence: String) -> CommandEnd { CommandEnd(code: 2, sentence: sentence) }
}

/// Options that every verb has.
struct CommonOptions: ParsableArguments {
    @Flag(name: .long, help: "Print JSON on standard output: one document, or one line for each item of a stream.")
    var json = false
}
