import ArgumentParser

/// `waybill dlq …`
struct DeadLetterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "Dead letters: look, send back, repair, give up, take back.",
        discussion: """
            A dead letter is a message that could not be handled. Each goes back to where it failed; nobody types the
            name of a queue. Every act is in a journal: who, when, why, and what came of it.

              waybill dlq stats
              waybill dlq list --group-by reason
              waybill dlq show 3f2a…
              waybill dlq requeue --reason stock-unavailable --dry-run
              waybill dlq requeue --reason stock-unavailable --rate 5
            """,
        subcommands: [
            DeadLetterStats.self, DeadLetterList.self, DeadLetterShow.self, DeadLetterRequeue.self,
            DeadLetterEdit.self, DeadLetterDiscard.self, DeadLetterRestore.self, DeadLetterPurge.self,
            DeadLetterExport.self, DeadLetterHistory.self, DeadLetterJobs.self, DeadLetterCancel.self,
            DeadLetterParked.self,
        ]
    )
}
