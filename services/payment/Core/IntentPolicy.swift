/// How patient payment is with the gateway. All in milliseconds.
public struct IntentPolicy: Sendable, Hashable {
    /// How long an authorization or capture may stay unresolved after it was first sent. Then, and only on the gateway's own
    /// word that it knows nothing of it, it is given up.
    public var window: Int64
    /// The first pause before the gateway is asked by key; doubled up to ``lookupCap``.
    public var lookupBase: Int64
    /// The longest pause between look-ups within the window.
    public var lookupCap: Int64
    /// The longest pause between tries while the gateway cannot be reached, for refunds and voids, and for abandoned intents.
    public var patientCap: Int64
    /// How long an abandoned intent is watched after it was first sent.
    public var watch: Int64

    /// Makes a policy. The defaults: 12 s window, look-ups after 250 ms … 2 s, patience up to 60 s, watched for 24 h.
    public init(
        window: Int64 = 12_000,
        lookupBase: Int64 = 250,
        lookupCap: Int64 = 2000,
        patientCap: Int64 = 60_000,
        watch: Int64 = 86_400_000
    ) {
        self.window = max(0, window)
        self.lookupBase = max(1, lookupBase)
        self.lookupCap = max(1, lookupCap)
        self.patientCap = max(1, patientCap)
        self.watch = max(0, watch)
    }

    /// `base · 2^tries`, at most `cap`, with up to a fifth taken off.
    ///
    /// - Parameters:
    ///   - tries: failed tries so far, from 0.
    ///   - random: 64 random bits.
    func pause(afterTries tries: Int, cap: Int64, random: UInt64) -> Int64 {
        let factor = Int64(1) << Int64(min(max(tries, 0), 16))
        let (product, overflow) = lookupBase.multipliedReportingOverflow(by: factor)
        let full = overflow ? cap : min(product, cap)
        return max(1, full - Int64(random % UInt64(max(1, full / 5))))
    }
}
