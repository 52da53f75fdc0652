import ArgumentParser
import Foundation
import Kafka
import StrictJSON
import Verification

/// `waybill verify`
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Hold every invariant against the databases, the gateway's ledger and the event log.",
        discussion: """
            Reads copies; nothing is changed. Waits until everything has come to rest, then checks all invariants; with --live
            it checks at once what must hold at any moment.

            Examples:
              waybill verify
              waybill verify --history load.jsonl
              waybill verify --live --json

            Exit codes: 0 all hold, 1 at least one is violated, 2 the evidence could not be read.
            """
    )
    @Option(name: .long, help: "What `waybill load --history` wrote: needed for A2.") var history: String?
    @Option(name: .long, help: "The data folder; that of the running installation unless given.") var dataDir: String?
    @Option(name: .long, help: "Seconds to wait for rest.") var settle = 60
    @Flag(name: .long, help: "Do not wait; check only what must hold at any moment.") var live = false
    @Flag(name: .long, help: "Repeat --live every two seconds until something is violated or it is interrupted.")
    var watch = false
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let session = Session()
        let directory: String
        if let dataDir { directory = dataDir } else { directory = try session.variable("WAYBILL_RUN_DIR") + "/data" }
        let loader = EvidenceLoader(
            dataDirectory: directory,
            kafka: try EventLogAccess.configuration(),
            historyPath: history,
            logger: EventLogAccess.logger
        )
        do {
            if watch {
                while true {
                    try await check(loader, isQuiescent: false)
                    try await Task.sleep(for: .seconds(2))
                }
            }
            let isQuiescent = live ? false : try await waitForRest(loader)
            if !live && !isQuiescent && !common.json {
                Console.error("Something still moves after \(settle) s; the checks that need rest are likely to fail.")
            }
            try await check(loader, isQuiescent: !live)
        } catch let end as CommandEnd {
            throw end
        } catch let error as KafkaError {
            throw CommandEnd.failed("The event log cannot be read: \(error.sentence)")
        } catch {
            throw CommandEnd.failed("The evidence cannot be read: \(error)")
        }
    }

    /// Rest is zero open orders and zero waiting messages, twice in a row.
    private func waitForRest(_ loader: EvidenceLoader) async throws -> Bool {
        let bar = ProgressBar("waiting for rest")
        defer { bar.clear() }
        let deadline = ContinuousClock.now + .seconds(settle)
        var calm = 0
        while ContinuousClock.now < deadline {
            let (orders, messages) = try loader.unsettled()
            calm = orders == 0 && messages == 0 ? calm + 1 : 0
            if calm >= 2 { return true }
            bar.show(0, of: Int64(orders + messages), note: "\(orders) open orders, \(messages) waiting messages")
            try await Task.sleep(for: .milliseconds(200))
        }
        return false
    }

    private func check(_ loader: EvidenceLoader, isQuiescent: Bool) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let evidence = try await loader.load(isQuiescent: isQuiescent) { part in
            if Console.showsProgress { Console.progress("reading \(part)") }
        }
        if Console.showsProgress { Console.progress("") }
        let read = clock.now - start
        let results = Check.all.filter { isQuiescent || $0.moment == .always }.map { ($0, $0.examine(evidence)) }
        let violated = results.filter { if case .violated = $0.1.verdict { true } else { false } }.count
        if common.json {
            JSONOutput.print(document(results, violated))
        } else {
            print(results)
            Console.print("")
            let time = "read in \(seconds(read)), checked in \(seconds(clock.now - start - read))"
            Console.print(
                violated == 0
                    ? Console.colored("No violation", .good) + " in \(results.count) checks; \(time)."
                    : Console.colored("\(violated) of \(results.count) checks are violated", .bad) + "; \(time)."
            )
        }
        if violated > 0 { throw CommandEnd.no() }
    }

    private func print(_ results: [(Check, Finding)]) {
        var table = Table([.text("ID"), .text("INVARIANT"), .text("VERDICT"), .text("LOOKED AT")])
        for (check, finding) in results {
            let verdict: Table.Cell =
                switch finding.verdict {
                case .holds: .init("holds", .good)
                case .violated(let count, _): .init("VIOLATED ×\(count)", .bad)
                case .notExamined: .init("not examined", .waiting)
                }
            table.add([.init(check.id), .init(check.title), verdict, .init(finding.lookedAt, .quiet)])
        }
        table.print()
        for (check, finding) in results {
            switch finding.verdict {
            case .holds: break
            case .violated(_, let example):
                Console.print("\(Console.colored(check.id, .bad))  \(Console.safe(example))")
            case .notExamined(let reason): Console.print("\(Console.colored(check.id, .waiting))  \(reason)")
            }
        }
    }

    private func document(_ results: [(Check, Finding)], _ violated: Int) -> JSONValue {
        .object([
            "violated": .integer(Int64(violated)),
            "checks": .array(
                results.map { check, finding in
                    var object: JSONObject = [
                        "id": .string(check.id), "title": .string(check.title),
                        "moment": .string(check.moment.rawValue),
                        "lookedAt": .string(finding.lookedAt),
                    ]
                    switch finding.verdict {
                    case .holds:
                        object["verdict"] = "holds"
                    case .violated(let count, let example):
                        object["verdict"] = "violated"
                        object["count"] = .integer(Int64(count))
                        object["example"] = .string(example)
                    case .notExamined(let reason):
                        object["verdict"] = "not-examined"
                        object["reason"] = .string(reason)
                    }
                    return .object(object)
                }
            ),
        ])
    }

    private func seconds(_ duration: Duration) -> String {
        duration.formatted(.units(allowed: [.seconds], width: .narrow, fractionalPart: .show(length: 2)))
    }
}
