import ArgumentParser
import EventLog
import Foundation

/// `event-log verify`
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read every byte and say whether it is what was written.",
        discussion: "Changes nothing. Exit code 0: intact, 1: damage was found, 2: it could not be read."
    )

    @OptionGroup var directory: DirectoryOption
    @Flag(name: .long, help: "One JSON document.")
    var json = false

    func run() throws {
        let reports = try inspecting { try EventLogInspector(dataDirectory: directory.dataDir).verify() }
        if json {
            try printJSON(reports)
        } else {
            for report in reports {
                var line = "\(report.topic)-\(report.partition): \(report.batches) batches, \(report.records) records, "
                line += "\(report.bytes) bytes, offsets \(report.firstOffset)..<\(report.endOffset)"
                if report.unfinishedBytes > 0 { line += ", \(report.unfinishedBytes) bytes of an unfinished write" }
                print(line)
                for problem in report.problems { print("  DAMAGE \(problem)") }
            }
            let damaged = reports.filter { !$0.problems.isEmpty }.count
            print(damaged == 0 ? "\(reports.count) partitions, no damage" : "\(damaged) damaged partitions")
        }
        if reports.contains(where: { !$0.problems.isEmpty }) { throw ExitCode(1) }
    }
}

/// `event-log dump`
struct Dump: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the batches of a partition.",
        discussion: "Changes nothing and shows no keys or values."
    )

    @OptionGroup var directory: DirectoryOption
    @Option(name: .long, help: "The topic.")
    var topic: String
    @Option(name: .long, help: "The partition.")
    var partition = 0
    @Option(name: .long, help: "Start at the batch that holds this offset.")
    var from: Int64 = 0
    @Option(name: .long, help: "The largest number of batches.")
    var limit = 100
    @Flag(name: .long, help: "JSON lines.")
    var json = false

    func run() throws {
        let batches = try inspecting {
            try EventLogInspector(dataDirectory: directory.dataDir)
                .batches(topic: topic, partition: partition, from: from, limit: limit)
        }
        for batch in batches {
            if json {
                try printJSON(batch)
            } else {
                var line = "\(batch.baseOffset)..\(batch.lastOffset) at \(batch.segment)+\(batch.position)"
                line += " size \(batch.size) codec \(batch.codec) producer \(batch.producerId)/\(batch.producerEpoch)"
                line += " sequence \(batch.baseSequence) epoch \(batch.leaderEpoch) time \(batch.maxTimestamp)"
                print(batch.isIntact ? line : line + " DAMAGED")
            }
        }
        if batches.isEmpty { throw ExitCode(1) }
    }
}

/// `event-log topics`
struct Topics: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the topics in a data directory.",
        discussion: "Changes nothing."
    )

    @OptionGroup var directory: DirectoryOption
    @Flag(name: .long, help: "One JSON document.")
    var json = false

    func run() throws {
        let topics = try inspecting { try EventLogInspector(dataDirectory: directory.dataDir).topics }
        if json { return try printJSON(topics) }
        for topic in topics {
            let settings = topic.settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            print("\(topic.name)  \(topic.partitions) partitions  \(topic.id)  \(settings.joined(separator: " "))")
        }
    }
}

/// Turns what goes wrong into one sentence and exit code 2.
private func inspecting<Value>(_ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch {
        try? FileHandle.standardError.write(contentsOf: Data("event-log: \(error)\n".utf8))
        throw ExitCode(2)
    }
}
