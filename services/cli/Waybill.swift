import ArgumentParser
import Commerce
import Terminal

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
        version: Release.version,
        subcommands: [
            OrderCommand.self, StockCommand.self, CatalogCommand.self, EventsCommand.self, OutboxCommand.self,
            DeadLetterCommand.self, AnalyticsCommand.self, WebhookCommand.self, LoadCommand.self, VerifyCommand.self,
            SimulateCommand.self, ChaosCommands.self, DoctorCommand.self,
        ]
    )

    static func main() async { await launch() }
}
