/// Where a payment stands.
///
/// ```
///            AuthorizePayment
///   (none) ───────────────────► authorizing ──► declined ─────┐
///     │                          │   │  ▲  given up           │
///     │ CancelPayment            │   └──┼────────► failed ─┐  │ CancelPayment
///     │ (tombstone)              ▼      │            ▲     │  │
///     │                      authorized │ refused,   │     │  │
///     │                       │  │      │ given up   │     │  │
///     │           CapturePayment │   ┌──┼────────────┘     │  │
///     │                       ▼  │   │  │                  │  │
///     │                   capturing──┘  │ late             │  │
///     │                       │  │      │                  │  │
///     │                       ▼  │      │                  │  │
///     │                   captured      │                  │  │
///     │                       │  │ CancelPayment           │  │
///     │                       │  └──────┴───► voiding ◄────┤  │
///     │          CancelPayment▼                │  │ late   │  │
///     │                   refunding ◄──────────┼──┘        │  │
///     │                       │  ▲ late        ▼           ▼  ▼
///     └───────────────────────┴──┴──────────► cancelled ◄─────┘
/// ```
///
/// `cancelled` is the end of everything that does not end `captured`, `declined` or `failed`. It is left only when the gateway
/// does something after all that had been given up: a late authorization is voided, a late capture refunded, and the payment
/// is `cancelled` again.
///
/// CancelPayment in `authorizing` and `capturing` is remembered; the way out is chosen when the gateway's answer is known, or
/// when it is certain that the call never left: then that is taken back, to `cancelled` or, with an authorization, to `voiding`.
public enum PaymentPhase: String, Sendable, Hashable, CaseIterable {
    /// The authorization is under way. Can go to: authorized, declined, failed, voiding, cancelled.
    case authorizing
    /// The amount is set aside. Can go to: capturing, voiding.
    case authorized
    /// The issuer said no. Can go to: cancelled.
    case declined
    /// Could not be had. Can go to: voiding, refunding, cancelled.
    case failed
    /// The capture is under way. Can go to: captured, failed, voiding, refunding.
    case capturing
    /// The amount is taken. Can go to: refunding.
    case captured
    /// The amount is being set free. Can go to: refunding, cancelled.
    case voiding
    /// The amount is being given back. Can go to: cancelled.
    case refunding
    /// No money is held or taken. Can go to: voiding, refunding (both only for what lands late).
    case cancelled

    /// The phases that may follow directly. A phase never follows itself.
    public var successors: Set<PaymentPhase> {
        switch self {
        case .authorizing: [.authorized, .declined, .failed, .voiding, .cancelled]
        case .authorized: [.capturing, .voiding]
        case .declined: [.cancelled]
        case .failed: [.voiding, .refunding, .cancelled]
        case .capturing: [.captured, .failed, .voiding, .refunding]
        case .captured: [.refunding]
        case .voiding: [.refunding, .cancelled]
        case .refunding: [.cancelled]
        case .cancelled: [.voiding, .refunding]
        }
    }

    /// Whether nothing is under way: what a quiet system's payments must all be.
    public var isSettled: Bool {
        switch self {
        case .declined, .failed, .captured, .cancelled: true
        case .authorized, .authorizing, .capturing, .voiding, .refunding: false
        }
    }
}
