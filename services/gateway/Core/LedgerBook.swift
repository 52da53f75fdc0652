public import Messaging

/// What the gateway knows: every entry by key, and what became of each authorization and capture. A plain value; the ledger
/// file is its only source, so replaying the lines gives the same book.
///
/// Grows with the ledger, about half a kilobyte per entry, as a simulator may: nothing is ever forgotten.
public struct LedgerBook: Sendable {
    private struct Authorization: Sendable {
        let entry: Int
        var isVoided = false
        var capture: String?
    }

    private struct Capture: Sendable {
        let entry: Int
        var refunded: Int64 = 0
    }

    /// All entries; entry `n` is at index `n − 1`.
    public private(set) var entries: [LedgerEntry] = []
    private var byKey: [String: Int] = [:]
    private var authorizations: [String: Authorization] = [:]
    private var captures: [String: Capture] = [:]

    /// An empty book.
    public init() {}

    /// The number of the last entry; 0 when there is none.
    public var lastSeq: Int64 { Int64(entries.count) }

    /// What was recorded under a key.
    public func entry(forKey key: String) -> LedgerEntry? {
        byKey[key].map { entries[$0] }
    }

    /// The card that a request is about: its own, or that of what it names. `nil` when it names nothing known.
    public func card(of request: OperationRequest) -> String? {
        switch request.content {
        case .authorize(_, _, _, let card): card
        case .capture(let name), .void(let name): authorizations[name].map { entries[$0.entry].card }
        case .refund(let name, _): captures[name].map { entries[$0.entry].card }
        }
    }

    /// Whether an entry is the answer to exactly this request.
    public func matches(_ entry: LedgerEntry, _ request: OperationRequest) -> Bool {
        guard entry.operation == request.operation else { return false }
        return switch request.content {
        case .authorize(let reference, let amount, let currency, let card):
            entry.reference == reference && entry.amount == amount && entry.currency == currency && entry.card == card
        case .capture(let name), .void(let name): entry.authorization == name
        case .refund(let name, let amount): entry.capture == name && (amount == nil || amount == entry.amount)
        }
    }

    /// Decides a request and records the outcome. The key must be new.
    ///
    /// - Parameters:
    ///   - decline: why the card's issuer says no, when it does.
    ///   - landsLate: a capture that was taken on before: it lands even if the authorization was voided meanwhile.
    public mutating func record(
        _ request: OperationRequest,
        decline: String? = nil,
        landsLate: Bool = false,
        at now: Timestamp
    ) -> LedgerEntry {
        let entry = outcome(of: request, decline: decline, landsLate: landsLate, seq: lastSeq + 1, at: now)
        insert(entry)
        return entry
    }

    /// Takes in an entry that was read from the file. Its number must be the next one.
    public mutating func replay(_ entry: LedgerEntry) {
        insert(entry)
    }

    private mutating func insert(_ entry: LedgerEntry) {
        let index = entries.count
        entries.append(entry)
        byKey[entry.key] = index
        guard entry.result == .succeeded else { return }
        switch entry.operation {
        case .authorize: authorizations[entry.id] = Authorization(entry: index)
        case .capture:
            captures[entry.id] = Capture(entry: index)
            if let name = entry.authorization { authorizations[name]?.capture = entry.id }
        case .void: if let name = entry.authorization { authorizations[name]?.isVoided = true }
        case .refund: if let name = entry.capture { captures[name]?.refunded += entry.amount }
        }
    }

    private func outcome(
        of request: OperationRequest,
        decline: String?,
        landsLate: Bool,
        seq: Int64,
        at now: Timestamp
    ) -> LedgerEntry {
        let id = request.operation.namePrefix + String(seq)
        func entry(
            _ result: GatewayResult,
            like known: LedgerEntry?,
            amount: Int64? = nil,
            authorization: String?,
            capture: String? = nil,
            reason: String? = nil
        ) -> LedgerEntry {
            LedgerEntry(
                seq: seq,
                at: now,
                operation: request.operation,
                result: result,
                key: request.key,
                reference: known?.reference ?? "",
                amount: amount ?? known?.amount ?? 0,
                currency: known?.currency ?? "XXX",
                card: known?.card ?? "",
                authorization: authorization,
                capture: capture,
                reason: reason
            )
        }
        switch request.content {
        case .authorize(let reference, let amount, let currency, let card):
            return LedgerEntry(
                seq: seq,
                at: now,
                operation: .authorize,
                result: decline == nil ? .succeeded : .declined,
                key: request.key,
                reference: reference,
                amount: amount,
                currency: currency,
                card: card,
                authorization: decline == nil ? id : nil,
                capture: nil,
                reason: decline
            )
        case .capture(let name):
            guard let known = authorizations[name] else {
                return entry(.refused, like: nil, authorization: name, reason: "unknown-authorization")
            }
            let like = entries[known.entry]
            if known.capture != nil {
                return entry(.refused, like: like, authorization: name, reason: "already-captured")
            }
            if known.isVoided, !landsLate { return entry(.refused, like: like, authorization: name, reason: "voided") }
            return entry(.succeeded, like: like, authorization: name, capture: id)
        case .void(let name):
            guard let known = authorizations[name] else {
                return entry(.refused, like: nil, authorization: name, reason: "unknown-authorization")
            }
            let like = entries[known.entry]
            if known.capture != nil {
                return entry(.refused, like: like, authorization: name, reason: "already-captured")
            }
            if known.isVoided { return entry(.refused, like: like, authorization: name, reason: "already-voided") }
            return entry(.succeeded, like: like, authorization: name)
        case .refund(let name, let amount):
            guard let known = captures[name] else {
                return entry(.refused, like: nil, authorization: nil, capture: name, reason: "unknown-capture")
            }
            let like = entries[known.entry]
            let wanted = amount ?? like.amount
            let rest = like.amount - known.refunded
            if rest == 0, like.amount > 0 {
                return entry(
                    .refused,
                    like: like,
                    amount: wanted,
                    authorization: like.authorization,
                    capture: name,
                    reason: "already-refunded"
                )
            }
            guard wanted <= rest else {
                return entry(
                    .refused,
                    like: like,
                    amount: wanted,
                    authorization: like.authorization,
                    capture: name,
                    reason: "more-than-captured"
                )
            }
            return entry(.succeeded, like: like, amount: wanted, authorization: like.authorization, capture: name)
        }
    }
}
