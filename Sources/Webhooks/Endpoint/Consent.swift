/// What a receiver's answer to the handshake means: a pure function (CloudEvents HTTP webhook 1.0.2, section 4.2).
///
/// The status code is no consent. Consent is a header that names the sender, or `*`, beside one that names a rate, or `*`.
public enum Consent: Sendable, Hashable {
    /// It agrees, to so many requests per minute; `nil` for any number.
    case granted(perMinute: Int?)
    /// It does not, and why.
    case withheld(String)

    /// The highest rate that is told from any number.
    static let highestRate = 600_000

    /// Judges an answer.
    ///
    /// - Parameter origin: `webhook-request-origin` as it was sent.
    public init(_ result: AttemptResult, origin: String) {
        switch result {
        case .failed(let fault, let detail): self = .withheld("\(fault.rawValue): \(detail)")
        case .answered(let answer):
            guard let allowed = answer.header("webhook-allowed-origin") else {
                self = .withheld("the answer (\(answer.status)) has no webhook-allowed-origin")
                return
            }
            guard allowed == "*" || allowed.lowercased() == origin.lowercased() else {
                self = .withheld("webhook-allowed-origin names another sender")
                return
            }
            self.init(rate: answer.header("webhook-allowed-rate"))
        }
    }

    /// Judges the rate that goes with a consent.
    public init(rate text: String?) {
        guard let text else {
            self = .withheld("the answer has no webhook-allowed-rate")
            return
        }
        if text == "*" {
            self = .granted(perMinute: nil)
        } else if text.utf8.count <= 18, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let rate = Int(text),
            rate > 0
        {
            self = .granted(perMinute: rate > Self.highestRate ? nil : rate)
        } else {
            self = .withheld("webhook-allowed-rate is no positive number")
        }
    }
}
