public import Messaging
public import PaymentCore
import Synchronization

/// The circuit breaker around the gateway, shared by all calls.
public final class GatewayGate: Sendable {
    private let breaker: Mutex<CircuitBreaker>
    private let clock: any WallClock

    /// Makes a closed gate.
    public init(breaker: CircuitBreaker = CircuitBreaker(), clock: any WallClock) {
        self.breaker = Mutex(breaker)
        self.clock = clock
    }

    /// Whether a call may be made now.
    func mayCall() -> Bool {
        let now = clock.now()
        return breaker.withLock { $0.ask(at: now) == .granted }
    }

    /// Takes in what an exchange showed about the gateway itself.
    ///
    /// - Parameter isLookUp: a look-up always has an answer; where it has none, the gateway is not well. A call without an
    ///   answer may be that card's issuer and says nothing.
    /// - Returns: whether the gateway just came back.
    func note(_ answer: GatewayAnswer, isLookUp: Bool) -> Bool {
        let now = clock.now()
        return breaker.withLock { breaker in
            switch answer {
            case .done, .refused, .notFound: return breaker.answered()
            case .notSent: breaker.failed(at: now)
            case .unclear: isLookUp ? breaker.failed(at: now) : breaker.inconclusive(at: now)
            }
            return false
        }
    }

    /// 0 closed, 1 half open, 2 open: for metrics.
    package var level: Int64 {
        breaker.withLock { breaker in
            switch breaker.state {
            case .closed: 0
            case .halfOpen: 1
            case .open: 2
            }
        }
    }
}
