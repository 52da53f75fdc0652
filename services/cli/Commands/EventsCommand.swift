import ArgumentParser
import Commerce
import Kafka
import Logging
import Messaging
import StrictJSON
import Terminal

/// `waybill events …`
struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Read the event log.",
        subcommands: [Tail.self, Topics.self]
    )

    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the last events, or follow them.",
            discussion: """
                Examples:
                  waybill events tail
                  waybill events tail --follow --topic orders
                  waybill events tail --from-beginning --order 019a2f0c-… --json
                """
        )
        @Option(name: .long, help: "Only this topic; repeat it for more.") var topic: [String] = []
        @Option(name: .long, help: "Only events about this order.") var order: String?
        @Option(name: .long, help: "How many of the last records of each partition to look at.") var last: Int64 = 5
        @Flag(name: .long, help: "From offset 0.") var fromBeginning = false
        @Flag(name: .shortAndLong, help: "Go on with what comes.") var follow = false
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let client = try EventLogAccess.configuration()
            let reader = KafkaTopicReader(
                configuration: client,
                topics: topic.isEmpty ? Channels.allTopics : topic,
                start: fromBeginning || order != nil ? .beginning : .tail(max(0, last)),
                mode: follow ? .follow : .untilEnd,
                logger: EventLogAccess.logger
            )
            var shown = 0
            do {
                for try await record in reader {
                    let message = ReceivedMessage(recordHeaders: record)
                    if let order, (try? message.envelope.get().correlationID) != order { continue }
                    shown += 1
                    common.json
                        ? JSONOutput.print(EventOutput.document(record, message)) : EventOutput.line(record, message)
                }
            } catch let error as KafkaError {
                throw CommandEnd.failed(
                    "The event log cannot be read: \(error.sentence). scripts/status.sh tells whether it is up."
                )
            }
            if shown == 0 { throw CommandEnd.no("There are no such events.") }
        }
    }

    struct Topics: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the topics, how much is in them, and how far their readers are.",
            discussion: "Example: waybill events topics"
        )
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let client = try EventLogAccess.configuration()
            do {
                try await withKafkaAdmin(configuration: client, logger: EventLogAccess.logger) { admin in
                    try await show(admin)
                }
            } catch let error as KafkaError {
                throw CommandEnd.failed(
                    "The event log cannot be asked: \(error.sentence). scripts/status.sh tells whether it is up."
                )
            }
        }

        private func show(_ admin: KafkaAdmin) async throws {
            var table = Table([.text("TOPIC"), .number("PARTITIONS"), .number("RECORDS"), .text("PARTITION ENDS")])
            for topic in try await admin.topics().sorted(by: { $0.name < $1.name }) {
                let partitions = topic.partitions.sorted().map { KafkaTopicPartition(topic: topic.name, partition: $0) }
                let marks = try await admin.watermarks(partitions)
                let records = marks.values.reduce(0) { $0 + $1.high - $1.low }
                if common.json {
                    JSONOutput.print(
                        .object([
                            "topic": .string(topic.name), "records": .integer(records),
                            "partitions": .array(
                                partitions.map {
                                    .object([
                                        "partition": .integer(Int64($0.partition)),
                                        "low": .integer(marks[$0]?.low ?? 0),
                                        "high": .integer(marks[$0]?.high ?? 0),
                                    ])
                                }
                            ),
                        ])
                    )
                } else {
                    table.add([
                        .init(topic.name), .init(Int64(partitions.count)), .init(records),
                        .init(partitions.map { String(marks[$0]?.high ?? 0) }.joined(separator: " "), .quiet),
                    ])
                }
            }
            if !common.json { table.print() }
        }
    }
}

/// How to reach the event log.
enum EventLogAccess {
    /// Says nothing unless something is wrong.
    static let logger: Logger = {
        var logger = Logger(label: "waybill.cli") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        return logger
    }()

    static func configuration() throws(CommandEnd) -> KafkaClientConfiguration {
        KafkaClientConfiguration(
            bootstrapServers: try Session().variable("KAFKA_BOOTSTRAP_SERVERS"),
            clientID: "waybill-cli"
        )
    }
}

extension ReceivedMessage {
    /// A record of the event log.
    init(recordHeaders record: KafkaReceivedRecord) {
        self.init(
            source: .record(topic: record.topic, partition: record.partition, offset: record.offset),
            headers: record.headers.map { ($0.name, String(decoding: $0.value, as: UTF8.self)) },
            body: record.value ?? []
        )
    }
}

/// How events look.
enum EventOutput {
    static func line(_ record: KafkaReceivedRecord, _ message: ReceivedMessage) {
        let place = "\(record.topic)/\(record.partition)@\(record.offset)".padding(to: 20)
        switch message.envelope {
        case .success(let envelope):
            let type = envelope.type.replacing("waybill.", with: "").replacing(".v1", with: "").padding(to: 26)
            let time = OrderOutput.time(.string(envelope.time.description))
            let sequence = (envelope.sequence.map { "v\($0)" } ?? "").padding(to: 4)
            Console.print(
                "\(Console.colored(time, .quiet))  \(Console.colored(place, .quiet))  \(Console.colored(Console.safe(type), .strong))"
                    + " \(Console.safe(envelope.subject)) \(sequence) "
                    + Console.colored(Console.safe(String(decoding: envelope.body.prefix(300), as: UTF8.self)), .quiet)
            )
        case .failure(let fault):
            Console.print("\(place)  \(Console.colored(fault.description, .bad))")
        }
    }

    static func document(_ record: KafkaReceivedRecord, _ message: ReceivedMessage) -> JSONValue {
        var object: JSONObject = [
            "topic": .string(record.topic), "partition": .integer(Int64(record.partition)),
            "offset": .integer(record.offset),
        ]
        switch message.envelope {
        case .success(let envelope):
            object["id"] = .string(envelope.id)
            object["type"] = .string(envelope.type)
            object["subject"] = .string(envelope.subject)
            object["time"] = .string(envelope.time.description)
            object["sequence"] = envelope.sequence.map { .integer($0) } ?? .null
            object["correlationId"] = .string(envelope.correlationID)
            object["causationId"] = envelope.causationID.map { .string($0) } ?? .null
            object["traceparent"] = envelope.traceparent.map { .string($0) } ?? .null
            object["data"] = (try? StrictJSON.parse(envelope.body)) ?? .null
        case .failure(let fault):
            object["fault"] = .string(fault.description)
        }
        return .object(object)
    }
}
