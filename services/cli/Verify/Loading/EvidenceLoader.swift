import Foundation
import GRDB
public import Kafka
public import Logging

/// Reads evidence from a run directory and the event log.
///
/// The parts are not of one moment, so in the middle of the traffic the order decides what may be concluded. Whatever names a
/// cause is read before what it names:
///
/// 1. the ends of the event log: what it held by then, the databases must know (X1, E7, L6);
/// 2. what clients and receivers saw: an order was committed before it was acknowledged (A2), an attempt's row before its first
///    byte left (W2);
/// 3. the gateway's ledger: an intent was a row before the call (M7), the order before the intent (M6);
/// 4. payment, inventory, order, notification, analytics, each from a copy of one moment;
/// 5. the event log: what was marked as published (X3), folded (R1) or handled (E1) by then was in it before.
public struct EvidenceLoader: Sendable {
    /// Files that others wrote about the run.
    public struct Records: Sendable {
        /// What `waybill load --history` wrote.
        public var load: String?
        /// What `waybill webhook listen --receipts` wrote.
        public var receipts: String?
        /// Ids of the messages that deserve to be dead letters, one in a line; with ` ?` behind those that may not have arrived.
        public var poison: String?
        /// How often the run was interrupted.
        public var interruptions: Int?

        /// Makes records; what is `nil` leaves its checks out.
        public init(
            load: String? = nil,
            receipts: String? = nil,
            poison: String? = nil,
            interruptions: Int? = nil
        ) {
            self.load = load
            self.receipts = receipts
            self.poison = poison
            self.interruptions = interruptions
        }
    }

    private let dataDirectory: String
    private let kafka: KafkaClientConfiguration?
    private let records: Records
    private let logger: Logger

    /// Makes a loader.
    ///
    /// - Parameters:
    ///   - dataDirectory: the folder `data` of a run directory.
    ///   - kafka: how to reach the event log; `nil` leaves it out.
    public init(
        dataDirectory: String,
        kafka: KafkaClientConfiguration?,
        records: Records = Records(),
        logger: Logger
    ) {
        self.dataDirectory = dataDirectory
        self.kafka = kafka
        self.records = records
        self.logger = logger
    }

    /// The files of an installation that are not there: databases and the gateway's ledger.
    public var missingFiles: [String] {
        (Self.services.map(path) + [ledgerPath]).filter { !FileManager.default.fileExists(atPath: $0) }
    }

    /// Whether there is anything of a run at all.
    public var hasDatabases: Bool { Self.services.contains { FileManager.default.fileExists(atPath: path($0)) } }

    private static let services = ["order", "payment", "inventory", "notification", "analytics"]
    private var ledgerPath: String { dataDirectory + "/gateway/ledger.jsonl" }

    /// Reads everything.
    ///
    /// - Parameters:
    ///   - isQuiescent: whether everything has come to rest.
    ///   - progress: told what is read next.
    /// - Throws: when a file that is there cannot be read, or the event log does not answer.
    public func load(isQuiescent: Bool, progress: (String) -> Void) async throws -> Evidence {
        var evidence = Evidence()
        evidence.isQuiescent = isQuiescent
        evidence.interruptions = records.interruptions
        // At rest nothing changes between the parts: the log is read beside the databases.
        async let atRest = isQuiescent ? readLog() : nil
        if kafka != nil, !isQuiescent {
            progress("where the event log ends")
            evidence.logMarks = try await ends()
        }
        try readFiles(into: &evidence, progress)
        try readDatabases(into: &evidence, progress)
        if kafka != nil { progress("the event log") }
        evidence.log = isQuiescent ? try await atRest : try await readLog()
        return evidence
    }

    /// What still moves. Zero everywhere, twice in a row, means that everything has come to rest.
    public func rest() async throws -> Rest {
        try RestQueries.look(dataDirectory, ends: kafka == nil ? nil : try await ends())
    }

    private func readFiles(into evidence: inout Evidence, _ progress: (String) -> Void) throws {
        if let path = records.load {
            progress("the load history")
            evidence.load = try TextFiles.loadHistory(path)
        }
        if let path = records.receipts {
            progress("the receiver's record")
            evidence.receipts = try TextFiles.receipts(path)
        }
        if let path = records.poison {
            let poison = try TextFiles.poison(path)
            evidence.poison = poison.certain
            evidence.doubtfulPoison = poison.doubtful
        }
        progress("the gateway's ledger")
        evidence.gateway = try TextFiles.gatewayLedger(ledgerPath)
    }

    private func readDatabases(into evidence: inout Evidence, _ progress: (String) -> Void) throws {
        var messaging = MessagingEvidence()
        var letters: [DeadLetterEvidence]?
        func read<Value>(_ service: String, _ body: (Database) throws -> Value) throws -> Value? {
            progress("the database of \(service)")
            return try DatabaseCopy.read(path(service)) { db in
                try MessagingQueries.read(service, db, into: &messaging)
                letters = (letters ?? []) + (try DeadLetterQueries.read(service, db))
                return try body(db)
            }
        }
        evidence.payments = try read("payment", PaymentQueries.read)
        evidence.inventory = try read("inventory", InventoryQueries.read)
        evidence.orders = try read("order", OrderQueries.read)
        evidence.webhooks = try read("notification", WebhookQueries.read)
        evidence.readModels = try read("analytics", ReadModelQueries.read)
        if let orders = evidence.orders {
            messaging.effects += OrderQueries.effects(of: orders, since: messaging.remembersSince["order"])
        }
        evidence.messaging = messaging
        evidence.deadLetters = letters
    }

    private func readLog() async throws -> [LogRecord]? {
        guard let kafka else { return nil }
        return try await LogLoader.read(kafka, logger: logger)
    }

    private func ends() async throws -> [String: Int64]? {
        guard let kafka else { return nil }
        return try await LogLoader.ends(kafka, logger: logger)
    }

    private func path(_ service: String) -> String {
        "\(dataDirectory)/\(service)/\(service).db"
    }
}
