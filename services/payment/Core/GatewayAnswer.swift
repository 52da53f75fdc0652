/// What one exchange with the gateway told us, whatever the exchange was: a call, a look-up by key, or a callback.
public enum GatewayAnswer: Sendable, Hashable {
    /// It is recorded as done; `reference` is the gateway's name for it, which later steps need.
    case done(reference: String)
    /// It is recorded as declined or refused. It did not and will not happen.
    case refused(reason: String)
    /// This request was turned away before anything was done, and the same request will be every time. That says nothing about one
    /// that was sent before it.
    case turnedAway(reason: String)
    /// The connection was not made, or no call was tried: the gateway certainly has not seen this request.
    case notSent(note: String)
    /// Sent, but no answer that can be relied upon: timeout, cut, 5xx, unreadable, still in progress.
    case unclear(note: String)
    /// A look-up by key was answered: nothing recorded so far.
    case notFound
}
