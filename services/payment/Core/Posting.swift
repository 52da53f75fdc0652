public import Commerce

/// The accounts of the payment ledger.
public enum LedgerAccount: String, Sendable, Hashable, CaseIterable {
    /// What the card provider owes us: rises with each capture, falls with each refund.
    case cardClearing = "card_clearing"
    /// Income from orders that go on.
    case revenue
    /// Income that was given back.
    case refunds
    /// Money that landed after its order was over. Zero when everything is quiet.
    case suspense
}

/// One move of money as a double entry: the same amount once debited, once credited, so that the sum is zero by construction.
public struct Posting: Sendable, Hashable {
    /// The intent that moved the money.
    public let kind: IntentKind
    /// The account that grows (debit, positive).
    public let debit: LedgerAccount
    /// The account that it comes from (credit, negative).
    public let credit: LedgerAccount
    /// How much; positive.
    public let amount: Money

    /// The booking of a capture.
    public static func capture(_ amount: Money, to account: Payment.CaptureAccount) -> Posting {
        Posting(
            kind: .capture,
            debit: .cardClearing,
            credit: account == .revenue ? .revenue : .suspense,
            amount: amount
        )
    }

    /// The booking of a refund of what was captured to `account`.
    public static func refund(_ amount: Money, of account: Payment.CaptureAccount) -> Posting {
        Posting(kind: .refund, debit: account == .revenue ? .refunds : .suspense, credit: .cardClearing, amount: amount)
    }

    /// The two entries, in the order in which they are written.
    public var entries: [(account: LedgerAccount, minorUnits: Int64)] {
        [(debit, amount.minorUnits), (credit, -amount.minorUnits)]
    }

    private init(kind: IntentKind, debit: LedgerAccount, credit: LedgerAccount, amount: Money) {
        self.kind = kind
        self.debit = debit
        self.credit = credit
        // The magnitude of Int64.min has no Int64; no such amount passes the checks at the edges, and none is booked here.
        self.amount = Money(minorUnits: max(amount.minorUnits, -Int64.max), currency: amount.currency)
    }
}
