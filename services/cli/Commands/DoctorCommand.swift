import ArgumentParser
import Doctor
import StrictJSON
import Terminal

/// `waybill doctor`
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Find what is stuck, and say what to do about it.",
        discussion: """
            Example: waybill doctor

            Looks at services that are not ready, outboxes and dead letters that wait, deadlines that did not fire, orders
            that stand still, moves of money that stay unknown, reservations without an open order, consumers without
            progress, held partitions, open breakers, and queues without consumers. It changes nothing.

            Exit codes: 0 nothing found, 1 something needs attention, 2 it could not be carried out.
            """
    )
    @Option(name: .long, help: "Seconds that an open order may stand still.") var orderSeconds: Int64 = 180
    @Option(name: .long, help: "Seconds that a move of money may stay unknown.") var paymentSeconds: Int64 = 60
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        var rules = DoctorRules()
        rules.orderSeconds = orderSeconds
        rules.paymentSeconds = paymentSeconds
        let findings = rules.findings(await DoctorRound(session: session, rules: rules).evidence())
        await session.close()
        if common.json {
            for finding in findings {
                JSONOutput.print(
                    .object([
                        "code": .string(finding.code), "service": .string(finding.service),
                        "finding": .string(finding.what), "advice": .string(finding.advice),
                    ])
                )
            }
        } else if findings.isEmpty {
            Console.print(Console.colored("Nothing is stuck.", .good))
        } else {
            var table = Table([.text("SERVICE"), .text("FOUND"), .text("WHAT TO DO")])
            for finding in findings {
                table.add([.init(finding.service), .init(finding.what, .bad), .init(finding.advice)])
            }
            table.print()
        }
        if !findings.isEmpty { throw CommandEnd.no() }
    }
}
