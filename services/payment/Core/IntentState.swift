/// How far an intent has come.
///
/// ```
/// prepared ◄──not sent──┐
///    │ │ begin          │
///    │ └───────────► calling ──answer──────────────────────► succeeded | refused
///    │ cancelled        │ timeout, cut, 5xx, unreadable           ▲
///    ▼                  ▼                                         │ found by key, or told by a callback
/// withdrawn          unknown ─────────────────────────────────────┤
///                       │ not found, window over (authorize, capture)
///                       ▼                                         │
///                   abandoned ────────────────────────────────────┘
/// ```
///
/// `calling` is the state in which an intent is born when its call follows at once; it says *may have been sent*. The key is
/// committed in every state: the gateway never sees one that is not a row.
public enum IntentState: String, Sendable, Hashable, CaseIterable {
    /// Certainly not with the gateway: the connection was refused, or calls are paused. Can go to `calling`, `withdrawn`, and
    /// on a callback to `succeeded` or `refused`. Where a cancellation waits for an authorization or capture, becoming `prepared` and
    /// `withdrawn` is one step.
    case prepared
    /// Handed to the caller; may have been sent. Can go to every other state but `withdrawn` and `abandoned`.
    case calling
    /// Sent, and no clear answer: asked for by key. Can go to `succeeded`, `refused`, `abandoned`.
    case unknown
    /// No longer waited for, but watched: it may still land. Can go to `succeeded` or `refused`.
    case abandoned
    /// The gateway did it. Terminal.
    case succeeded
    /// The gateway did not and will not do it. Terminal.
    case refused
    /// Taken back before it was ever sent. Terminal.
    case withdrawn

    /// Whether nothing follows.
    public var isTerminal: Bool {
        switch self {
        case .succeeded, .refused, .withdrawn: true
        case .prepared, .calling, .unknown, .abandoned: false
        }
    }

    /// Whether the payment still waits for the outcome.
    public var isAwaited: Bool {
        switch self {
        case .prepared, .calling, .unknown: true
        case .abandoned, .succeeded, .refused, .withdrawn: false
        }
    }

    /// Whether the gateway may still do it, as far as is known.
    public var mayLand: Bool {
        switch self {
        case .calling, .unknown, .abandoned: true
        case .prepared, .succeeded, .refused, .withdrawn: false
        }
    }
}
