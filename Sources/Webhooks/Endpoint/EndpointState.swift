/// Where an endpoint stands. Pure: ``applying(_:)`` is the whole machine.
///
/// ```
/// pendingVerification ──verified──► enabled ◄──resume── paused
///         │                           │  └────pause────►  │
///         │                           │ disable(reason)   │ disable(reason)
///         │                           ▼                   ▼
///         │                       disabled(reason) ──enable──► enabled
///         └──────────────────────── any ──delete──► deleted
/// any but deleted ──ask──► pendingVerification
/// ```
public enum EndpointState: Sendable, Hashable {
    /// Waits until the receiver has agreed (CloudEvents HTTP webhook 1.0.2, section 4). Nothing is sent.
    case pendingVerification
    /// Deliveries are sent.
    case enabled
    /// Deliveries are recorded and wait.
    case paused
    /// Nothing is sent; new events are recorded as skipped.
    case disabled(Reason)
    /// Gone. Terminal.
    case deleted

    /// Why an endpoint is disabled.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// A person did.
        case manual
        /// Nothing succeeded for days.
        case failing
        /// It answered 410.
        case gone
        /// It asked for it, with `webhook-delivery: disable`.
        case receiverRequest = "receiver_request"
        /// Its address must not be called.
        case blockedAddress = "blocked_address"
    }

    /// What can be done to an endpoint.
    public enum Action: Sendable, Hashable {
        case verify, pause, resume, enable, delete
        /// The receiver has to agree, again or for the first time.
        case ask
        case disable(Reason)
    }

    /// The state that follows; `nil` when the action is not possible here. The same state means that nothing changes.
    public func applying(_ action: Action) -> EndpointState? {
        switch (self, action) {
        case (.deleted, .delete): .deleted
        case (.deleted, _): nil
        case (_, .delete): .deleted
        case (_, .ask): .pendingVerification
        case (.pendingVerification, .verify): .enabled
        case (.pendingVerification, .disable(let reason)): .disabled(reason)
        case (.pendingVerification, _): nil
        case (_, .verify): self
        case (.enabled, .pause), (.paused, .pause): .paused
        case (.disabled, .pause): nil
        case (.enabled, .resume), (.paused, .resume): .enabled
        case (.disabled, .resume): nil
        case (.enabled, .enable), (.disabled, .enable): .enabled
        case (.paused, .enable): nil
        case (.disabled, .disable): self
        case (.enabled, .disable(let reason)), (.paused, .disable(let reason)): .disabled(reason)
        }
    }

    /// The name in rows and documents, without the reason.
    public var name: String {
        switch self {
        case .pendingVerification: "pending_verification"
        case .enabled: "enabled"
        case .paused: "paused"
        case .disabled: "disabled"
        case .deleted: "deleted"
        }
    }

    /// The reason of a disabled endpoint.
    public var reason: Reason? {
        guard case .disabled(let reason) = self else { return nil }
        return reason
    }

    /// Reads a name and a reason; `nil` when they do not fit together.
    public init?(name: String, reason: String?) {
        switch (name, reason.map(Reason.init(rawValue:))) {
        case ("pending_verification", .none): self = .pendingVerification
        case ("enabled", .none): self = .enabled
        case ("paused", .none): self = .paused
        case ("disabled", .some(.some(let reason))): self = .disabled(reason)
        case ("deleted", .none): self = .deleted
        default: return nil
        }
    }
}
