import ArgumentParser
import Dispatch
import EventLog
import Foundation
import Logging

/// `event-log`: the embedded server of the Kafka protocol and the tools for its files.
struct EventLogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "event-log",
        abstract: "A small, durable, single-node log server that speaks the Kafka protocol.",
        discussion: """
            One node, no replication, no authentication: it listens on loopback unless told otherwise and is no
            replacement for a Kafka cluster. Whatever it acknowledges is on disk.
            """,
        subcommands: [Serve.self, Verify.self, Dump.self, Topics.self]
    )

    /// Runs the command line; the process ends with its exit code. (At the top level of a file the compiler would choose
    /// the synchronous `main`, which refuses asynchronous commands.)
    static func launch() async { await main() }
}

/// `host:port`, `port` or `[address]:port`.
struct ListenAddress {
    static let standard = ListenAddress(host: "127.0.0.1", port: 9092)

    let host: String
    let port: Int
}

extension ListenAddress: ExpressibleByArgument {
    var defaultValueDescription: String { "\(host):\(port)" }

    init?(argument: String) {
        var host = "127.0.0.1"
        var portText = argument[...]
        if let colon = argument.lastIndex(of: ":") {
            host = String(argument[..<colon]).trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
            portText = argument[argument.index(after: colon)...]
        }
        guard let port = Int(portText), (0...65_535).contains(port), !host.isEmpty else { return nil }
        self.init(host: host, port: port)
    }
}

/// The option that every verb has.
struct DirectoryOption: ParsableArguments {
    @Option(name: .long, help: "The directory with all data.")
    var dataDir: String
}

/// Prints a value as one JSON document.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}
