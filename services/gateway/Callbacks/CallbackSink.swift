/// Where the gateway puts what a merchant should be told.
public protocol CallbackSink: Sendable {
    /// Takes an entry that is on disk. Never blocks; may drop it when too many wait.
    func submit(_ entry: LedgerEntry)
}

/// Tells nobody.
public struct NoCallbacks: CallbackSink {
    /// Makes one.
    public init() {}

    public func submit(_ entry: LedgerEntry) {}
}
