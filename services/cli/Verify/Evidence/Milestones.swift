/// What one reading has shown that no later one may take back. Small beside the evidence: a watch keeps one between readings.
public struct Milestones: Sendable, Hashable {
    /// A beginning of something that only grows: how much of it, and a digest of that.
    struct Prefix: Sendable, Hashable {
        var count = 0
        var digest = ContentDigest()
    }

    let orderVersions: [String: Int64]
    let partitions: [String: Prefix]
    let offsets: [MessagingEvidence.Offset]
    let ledger: Prefix

    /// Takes the milestones of a reading. Parts that it could not read are held to what was seen of them last.
    ///
    /// - Parameter earlier: those of the reading before.
    public init(_ evidence: Evidence, after earlier: Milestones? = nil) {
        orderVersions =
            evidence.orders.map { Dictionary($0.orders.map { ($0.id, $0.version) }, uniquingKeysWith: max) }
            ?? earlier?.orderVersions ?? [:]
        partitions = evidence.log.map { Self.partitions($0) { _ in nil } } ?? earlier?.partitions ?? [:]
        offsets =
            (evidence.messaging?.offsets ?? []) + (earlier?.offsets ?? []).filter { !evidence.holds($0.service) }
        ledger = evidence.payments.map { Self.ledger($0.chain, limit: nil) } ?? earlier?.ledger ?? Prefix()
    }

    /// Digests of the beginnings of the partitions.
    ///
    /// - Parameter limit: how many records of a partition count; `nil` for all.
    static func partitions(_ log: [LogRecord], limit: (String) -> Int?) -> [String: Prefix] {
        var prefixes: [String: Prefix] = [:]
        var limits: [String: Int] = [:]
        for record in log {
            let partition = record.partitionName
            var prefix = prefixes[partition] ?? Prefix()
            let most = limits[partition] ?? limit(partition) ?? .max
            limits[partition] = most
            guard prefix.count < most else { continue }
            prefix.count += 1
            prefix.digest.add(record.offset)
            prefix.digest.add((record.eventID ?? "").utf8)
            prefix.digest.add(record.body)
            prefixes[partition] = prefix
        }
        return prefixes
    }

    /// The digest of the beginning of the ledger.
    static func ledger(_ chain: [PaymentEvidence.Link], limit: Int?) -> Prefix {
        var prefix = Prefix()
        for link in chain.prefix(limit ?? .max) {
            prefix.count += 1
            prefix.digest.add(link.storedHash.utf8)
        }
        return prefix
    }
}
