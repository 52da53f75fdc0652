import Foundation
public import Kafka
public import Logging

/// Reads evidence from a run directory and the event log.
///
/// The order matters while traffic goes on: effects are read before their causes, so that a check in the right direction
/// never sees an effect whose cause had merely not been read yet. The gateway's ledger comes before the intents, the
/// databases before the log.
public struct EvidenceLoader: Sendable {
    private let dataDirectory: String
    private let kafka: KafkaClientConfiguration?
    private let historyPath: String?
    private let logger: Logger

    /// Makes a loader.
    ///
    /// - Parameters:
    ///   - dataDirectory: the folder `data` of a run directory.
    ///   - kafka: how to reach the event log; `nil` leaves it out.
    ///   - historyPath: what `waybill load --history` wrote.
    public init(dataDirectory: String, kafka: KafkaClientConfiguration?, historyPath: String?, logger: Logger) {
        self.dataDirectory = dataDirectory
        self.kafka = kafka
        self.historyPath = historyPath
        self.logger = logger
    }

    /// Reads everything.
    ///
    /// - Parameters:
    ///   - isQuiescent: whether everything has come to rest.
    ///   - progress: told what is read next.
    /// - Throws: when a file that is there cannot be read, or the event log does not answer.
    public func load(isQuiescent: Bool, progress: (String) -> Void) async throws -> Evidence {
        var evidence = Evidence()
        evidence.isQuiescent = isQuiescent
        if let historyPath {
            progress("the load history")
            evidence.load = try TextFiles.loadHistory(historyPath)
        }
        progress("the gateway's ledger")
        evidence.gateway = try TextFiles.gatewayLedger(dataDirectory + "/gateway/ledger.jsonl")
        var messaging = MessagingEvidence()
        progress("payment's database")
        evidence.payments = try DatabaseCopy.read(path("payment")) { db in
            try MessagingQueries.read("payment", db, into: &messaging)
            return try PaymentQueries.read(db)
        }
        progress("inventory's database")
        evidence.inventory = try DatabaseCopy.read(path("inventory")) { db in
            try MessagingQueries.read("inventory", db, into: &messaging)
            return try InventoryQueries.read(db)
        }
        progress("order's database")
        evidence.orders = try DatabaseCopy.read(path("order")) { db in
            try MessagingQueries.read("order", db, into: &messaging)
            try OrderQueries.effects(db, into: &messaging)
            return try OrderQueries.read(db)
        }
        progress("notification's database")
        _ = try DatabaseCopy.read(path("notification")) { db in
            try MessagingQueries.read("notification", db, into: &messaging)
        }
        progress("analytics' database")
        evidence.readModels = try DatabaseCopy.read(path("analytics")) { db in
            try MessagingQueries.read("analytics", db, into: &messaging)
            return try ReadModelQueries.read(db)
        }
        evidence.messaging = messaging
        if let kafka {
            progress("the event log")
            evidence.log = try await LogLoader.read(kafka, logger: logger)
        }
        return evidence
    }

    /// What still moves: orders that have not ended; messages that wait and calls to the gateway that have no answer. Zero
    /// means that everything has come to rest.
    public func unsettled() throws -> (orders: Int, messages: Int) {
        try RestQueries.unsettled(order: path("order"), others: [path("payment"), path("inventory")])
    }

    private func path(_ service: String) -> String {
        "\(dataDirectory)/\(service)/\(service).db"
    }
}
