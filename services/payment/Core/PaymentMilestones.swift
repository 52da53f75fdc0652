public import Commerce

/// Which announcement may follow which: the path that each payment's history must be.
///
/// History counts what is announced, not the phases in between: being under way is no event.
public enum PaymentMilestones {
    /// What may be announced first.
    public static let first: Set<PaymentEvent.Kind> = [.authorized, .declined, .failed, .cancelled]

    /// What may be announced directly after `kind`. After `cancelled` and `failed`, `authorized` and `captured` are what landed
    /// late.
    public static func successors(of kind: PaymentEvent.Kind) -> Set<PaymentEvent.Kind> {
        switch kind {
        case .authorized: [.captured, .voided, .failed, .cancelled]
        case .declined: [.cancelled]
        case .captured: [.refunded]
        case .voided: [.cancelled]
        case .refunded: [.cancelled]
        case .failed: [.authorized, .captured, .voided, .cancelled]
        case .cancelled: [.authorized, .captured]
        }
    }

    /// Whether `next` may follow `previous`; `nil` stands for the beginning.
    public static func permits(_ next: PaymentEvent.Kind, after previous: PaymentEvent.Kind?) -> Bool {
        guard let previous else { return first.contains(next) }
        return successors(of: previous).contains(next)
    }
}
