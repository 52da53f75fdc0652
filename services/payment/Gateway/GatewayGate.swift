public import Messaging
public import PaymentCore
import Synchronization

/// What is asked of the gateway, each with a breaker of its own.
public enum GatedOperation: Sendable, Hashable, CaseIterable {
    /// A move of money.
    case call(IntentKind)
    /// What became of one.
    case lookUp

    public static var allCases: [GatedOperation] { IntentKind.allCases.map(GatedOperation.call) + [.lookUp] }

    /// In metrics: `authorize`, `lookup` …
    public var name: String {
        switch self {
        case .call(let kind): kind.rawValue
        case .lookUp: "lookup"
        }
    }
}

/// The circuit breakers around the gateway, one for each operation, shared by all calls: look-ups that hang do not keep captures back.
public final class GatewayGate: Sendable {
    private let breakers: Mutex<[GatedOperation: CircuitBreaker]>
    private let clock: any WallClock

    /// Makes a closed gate.
    ///
    /// - Parameter breaker: what each operation begins with.
    public init(breaker: CircuitBreaker = CircuitBreaker(), clock: any WallClock) {
        breakers = Mutex(Dictionary(uniqueKeysWithValues: GatedOperation.allCases.map { ($0, breaker) }))
        self.clock = clock
    }

    /// Whether the gateway may be asked for this now.
    func may(_ operation: GatedOperation) -> Bool {
        let now = clock.now()
        return breakers.withLock { $0[operation]?.ask(at: now) == .granted }
    }

    /// Takes in what an exchange showed about the gateway itself.
    ///
    /// A look-up always has an answer; where it has none, the gateway is not well. A call without an answer may be that card's
    /// issuer and says nothing.
    ///
    /// - Returns: whether the gateway just came back: what waits for this operation, or for another, may be tried.
    func note(_ answer: GatewayAnswer, of operation: GatedOperation) -> Bool {
        let now = clock.now()
        return breakers.withLock { breakers in
            switch answer {
            case .done, .refused, .turnedAway, .notFound:
                guard breakers[operation]?.answered() == true else { return false }
                for other in breakers.keys where other != operation { breakers[other]?.probe(from: now) }
                return true
            case .notSent: breakers[operation]?.failed(at: now)
            case .unclear:
                operation == .lookUp
                    ? breakers[operation]?.failed(at: now) : breakers[operation]?.inconclusive(at: now)
            }
            return false
        }
    }

    /// 0 closed, 1 half open, 2 open: for metrics.
    package func level(_ operation: GatedOperation) -> Int64 {
        breakers.withLock { breakers in
            switch breakers[operation]?.state {
            case nil, .closed: 0
            case .halfOpen: 1
            case .open: 2
            }
        }
    }

    /// The highest of all operations.
    package var level: Int64 { GatedOperation.allCases.map(level).max() ?? 0 }
}
