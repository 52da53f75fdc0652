package import GRDB

/// Evidence out of an open database, for whoever has the databases at hand: the simulation.
package enum EvidenceRows {
    /// Adds what the database of a service has to tell.
    package static func read(_ service: String, _ db: Database, into evidence: inout Evidence) throws {
        var messaging = evidence.messaging ?? MessagingEvidence()
        // One owner at a time: what two hold is copied by the first change.
        evidence.messaging = nil
        try MessagingQueries.read(service, db, into: &messaging)
        evidence.deadLetters = (evidence.deadLetters ?? []) + (try DeadLetterQueries.read(service, db))
        switch service {
        case "order":
            let orders = try OrderQueries.read(db)
            messaging.effects += OrderQueries.effects(of: orders, since: messaging.remembersSince["order"])
            evidence.orders = orders
        case "payment": evidence.payments = try PaymentQueries.read(db)
        case "inventory": evidence.inventory = try InventoryQueries.read(db)
        case "notification": evidence.webhooks = try WebhookQueries.read(db)
        case "analytics": evidence.readModels = try ReadModelQueries.read(db)
        default: break
        }
        evidence.messaging = messaging
    }
}
