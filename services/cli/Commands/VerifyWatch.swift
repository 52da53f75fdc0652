import StrictJSON
import Terminal
import UnixSignals
import Verification

/// Readings again and again, each held against the always checks and against the one before.
struct VerifyWatch {
    private actor Progress {
        private(set) var readings = 0
        /// Whether the last one was not possible.
        private(set) var isBlind = false

        func add() {
            readings += 1
            isBlind = false
        }

        func fail() { isBlind = true }
    }

    private enum Outcome { case violated }

    private let loader: EvidenceLoader
    private let every: Duration
    private let json: Bool
    private let progress = Progress()

    init(loader: EvidenceLoader, every: Duration, json: Bool) {
        self.loader = loader
        self.every = every
        self.json = json
    }

    /// Ends with a violation, after `limit`, or when the process is interrupted.
    func run(_ limit: Duration?) async throws {
        let outcome = try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask { try await read() }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { break }
                return nil
            }
            if let limit {
                group.addTask {
                    try await Task.sleep(for: limit)
                    return nil
                }
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            return first
        }
        if case .violated = outcome { throw CommandEnd.no() }
        let readings = await progress.readings
        if readings == 0 { throw CommandEnd.missing("No reading was possible.") }
        if await progress.isBlind {
            throw CommandEnd.missing(
                "The last reading was not possible, after \(grouped(Int64(readings))) without a violation."
            )
        }
        if !json { Console.print(Console.colored("No violation", .good) + " in \(grouped(Int64(readings))) readings.") }
    }

    private func read() async throws -> Outcome? {
        var earlier: Milestones?
        var lines = 0
        while true {
            let start = ContinuousClock.now
            do {
                var evidence = try await loader.load(isQuiescent: false) { _ in }
                evidence.earlier = earlier
                let report = await Report.of(evidence)
                try Task.checkCancellation()
                earlier = Milestones(evidence, after: earlier)
                await progress.add()
                let number = await progress.readings
                lines = show(report, number, ContinuousClock.now - start, replacing: lines)
                if report.violated > 0 { return .violated }
            } catch {
                try Task.checkCancellation()
                // A broker that was just killed, a database that is being replaced: no violation, and the next reading tells.
                await progress.fail()
                Console.error(VerifyCommand.sentence(error))
                lines = 0
            }
            try await Task.sleep(for: every)
        }
    }

    /// - Returns: how many lines the next reading replaces.
    private func show(_ report: Report, _ number: Int, _ time: Duration, replacing lines: Int) -> Int {
        if json {
            var document = report.document
            document["reading"] = .integer(Int64(number))
            JSONOutput.print(.object(document))
            return 0
        }
        let took = VerifyCommand.seconds(time)
        guard Console.isTerminal else {
            Console.print("reading \(number): \(report.results.count) checks, \(report.violated) violated, \(took)")
            if report.violated > 0 { VerifyOutput.print(report, took) }
            return 0
        }
        Console.rewind(lines)
        guard report.violated == 0 else {
            VerifyOutput.print(report, "reading \(number) took \(took)")
            return 0
        }
        return VerifyOutput.printGroups(report, "reading \(number) took \(took)")
    }
}
