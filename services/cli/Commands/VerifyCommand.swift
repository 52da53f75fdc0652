import ArgumentParser
import Foundation
import Kafka
import StrictJSON
import Terminal
import UnixSignals
import Verification

/// `waybill verify`
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Hold every invariant against the databases, the gateway's ledger and the event log.",
        discussion: """
            Reads copies; nothing is changed. Waits until everything has come to rest, then checks all invariants. With --live it
            checks at once what must hold at any moment, with --watch again and again until ctrl-c, a violation or the time of
            --for. docs/guarantees.md says what each id promises.

            Examples:
              waybill verify
              waybill verify --history load.jsonl
              waybill verify --watch --every 2s --for 60s
              waybill verify --live --json

            Exit codes: 0 all hold, 1 at least one is violated, 2 it could not be carried out, 3 evidence cannot be read or a
            file of the installation is missing (--partial does without).
            """
    )
    @Option(name: .long, help: "What `waybill load --history` wrote: needed for A2 to A4.") var history: String?
    @Option(name: .long, help: "What `waybill webhook listen --receipts` wrote: needed for W2.") var receipts: String?
    @Option(
        name: .long,
        help:
            "A file with the id of each message that deserves to be a dead letter, ? behind what may be lost: needed for D1."
    )
    var poison: String?
    @Option(name: .long, help: "How often the run was interrupted: needed for X9.") var interruptions: Int?
    @Option(name: .long, help: "The data folder; that of the running installation unless given.") var dataDir: String?
    @Flag(name: .long, help: "Leave the event log out, and the checks that need it.") var noLog = false
    @Flag(name: .long, help: "Take it for complete though databases or the ledger are missing.") var partial = false
    @Option(name: .long, help: "Seconds to wait for rest.") var settle = 60
    @Flag(name: .long, help: "Do not wait; check only what must hold at any moment.") var live = false
    @Flag(name: .long, help: "Repeat --live, each time also against the reading before.") var watch = false
    @Option(name: .long, help: "With --watch: the pause between readings.") var every = Span(seconds: 2)
    @Option(name: .customLong("for"), help: "With --watch: end after this time.") var limit: Span?
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard settle >= 0, interruptions ?? 0 >= 0 else {
            throw ValidationError("--settle and --interruptions are not negative.")
        }
        guard limit == nil || watch else { throw ValidationError("--for is of use with --watch only.") }
    }

    func run() async throws {
        let directory: String
        if let dataDir { directory = dataDir } else { directory = try Session().variable("WAYBILL_RUN_DIR") + "/data" }
        let loader = EvidenceLoader(
            dataDirectory: directory,
            kafka: noLog ? nil : try EventLogAccess.configuration(),
            records: .init(load: history, receipts: receipts, poison: poison, interruptions: interruptions),
            logger: EventLogAccess.logger
        )
        guard loader.hasDatabases else {
            throw CommandEnd.missing("There are no databases of Waybill in \(directory).")
        }
        // What comes while it is being read proves nothing either way.
        let missing = loader.missingFiles
        if watch {
            return try await VerifyWatch(loader: loader, every: every.duration, json: common.json).run(limit?.duration)
        }
        let report: Report
        let time: String
        do {
            if !live, let rest = try await unrest(loader) {
                Console.error(
                    "After \(settle) s something still moves (\(rest)); checks that need rest are likely to fail."
                )
            }
            (report, time) = try await Self.read(loader, isQuiescent: !live)
        } catch {
            throw CommandEnd.missing(Self.sentence(error))
        }
        if common.json {
            JSONOutput.print(.object(report.document))
        } else {
            VerifyOutput.print(report, time)
        }
        if report.violated > 0 { throw CommandEnd.no() }
        if !partial, let file = missing.first {
            throw CommandEnd.missing("Evidence is missing: \(file). With --partial the rest is enough.")
        }
    }

    /// What still moves after the time to wait; `nil` when everything has come to rest: twice in a row nothing moved.
    private func unrest(_ loader: EvidenceLoader) async throws -> String? {
        let bar = ProgressBar("waiting for rest")
        defer { bar.clear() }
        let deadline = ContinuousClock.now + .seconds(settle)
        var calm = 0
        while true {
            let rest = try await loader.rest()
            calm = rest.isComplete ? calm + 1 : 0
            if calm >= 2 { return nil }
            if ContinuousClock.now >= deadline, !rest.isComplete { return rest.description }
            bar.show(0, of: 1, note: rest.description)
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private static func read(_ loader: EvidenceLoader, isQuiescent: Bool) async throws -> (Report, String) {
        let clock = ContinuousClock()
        let start = clock.now
        let evidence = try await loader.load(isQuiescent: isQuiescent) { part in
            if Console.showsProgress { Console.progress("reading \(part)") }
        }
        let read = clock.now - start
        if Console.showsProgress { Console.progress("checking") }
        let report = await Report.of(evidence)
        if Console.showsProgress { Console.progress("") }
        return (report, "read in \(seconds(read)), checked in \(seconds(clock.now - start - read))")
    }

    static func seconds(_ duration: Duration) -> String {
        duration.formatted(.units(allowed: [.seconds], width: .narrow, fractionalPart: .show(length: 2)))
    }

    /// Why evidence could not be read.
    static func sentence(_ error: any Error) -> String {
        if let error = error as? KafkaError { return "The event log cannot be read: \(error.sentence)" }
        return "The evidence cannot be read: \(error)"
    }
}
