import AnalyticsService
import DurableStore
import Foundation
import GRDB
import InventoryService
import Messaging
import NotificationService
import OrderService
import PaymentService
import Verification

/// The disk of one machine: what survives the death of a process.
final class SimulatedDisk: Sendable {
    private let connection: DatabaseQueue

    /// Makes a disk with the empty tables of a service.
    init(for service: ServiceName) throws {
        let template = try DiskTemplates.shared.of(service)
        connection = try DatabaseQueue(configuration: Self.configuration)
        try template.backup(to: connection)
    }

    deinit { try? connection.close() }

    /// Starts a process on the disk.
    func open(
        onStep: @escaping @Sendable (StoreStep) throws -> Void,
        onHandover: @escaping @Sendable (Set<Transport>) -> Void,
        clock: any WallClock,
        ids: any IDGenerator,
        random: @escaping @Sendable () -> UInt64
    ) -> DurableStore {
        var configuration = DurableStoreConfiguration(path: nil, onStep: onStep)
        configuration.onHandover = onHandover
        configuration.pause = { _ in }
        // A simulated disk is full once; what is tried again here would never be given back.
        configuration.triesBeforeGivingBack = 1
        return DurableStore(simulatedOver: connection, configuration, clock: clock, ids: ids, random: random)
    }

    /// Adds what the service knows to the evidence.
    func addEvidence(of service: ServiceName, to evidence: inout Evidence) throws {
        try connection.unsafeRead { db in try EvidenceRows.read(service.rawValue, db, into: &evidence) }
    }

    /// One number out of the tables.
    func number(_ sql: String, _ arguments: [String] = []) throws -> Int64? {
        try connection.unsafeRead { db in
            try db.cachedStatement(sql: sql).first(arguments) { try $0[0] as Int64? } ?? nil
        }
    }

    /// Rows of text columns; NULL is empty.
    func rows(_ sql: String, _ arguments: [String] = []) throws -> [[String]] {
        try connection.unsafeRead { db in
            let statement = try db.cachedStatement(sql: sql)
            let count = statement.columnCount
            return try statement.all(arguments) { row in try (0..<count).map { try row[$0] as String? ?? "" } }
        }
    }

    static var configuration: GRDB.Configuration {
        var configuration = GRDB.Configuration()
        configuration.prepareDatabase { db in
            // What a transaction changes is copied by the page, for its rollback: small pages make small copies.
            try db.execute(sql: "PRAGMA page_size = 1024")
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
            // Debian's SQLite overwrites what is deleted; here nothing outlives the process.
            try db.execute(sql: "PRAGMA secure_delete = OFF")
        }
        return configuration
    }
}

/// Empty databases, migrated once per process; each world copies their pages.
private final class DiskTemplates: Sendable {
    static let shared = DiskTemplates()
    private let templates: [ServiceName: Result<DatabaseQueue, any Error>]

    private init() {
        SQLiteLibrary.prepare()
        var templates: [ServiceName: Result<DatabaseQueue, any Error>] = [:]
        for service in ServiceName.allCases {
            templates[service] = Result {
                let connection = try DatabaseQueue(configuration: SimulatedDisk.configuration)
                try DurableStore.migrate(connection, service: Self.migrations(of: service))
                return connection
            }
        }
        self.templates = templates
    }

    func of(_ service: ServiceName) throws -> DatabaseQueue {
        guard let template = templates[service] else { throw SimulationFault("There is no template for \(service).") }
        return try template.get()
    }

    private static func migrations(of service: ServiceName) -> DatabaseMigrator {
        switch service {
        case .order: OrderService.migrations
        case .payment: PaymentService.migrations
        case .inventory: InventoryService.migrations
        case .notification: NotificationService.migrations
        case .analytics: AnalyticsService.migrations
        }
    }
}
