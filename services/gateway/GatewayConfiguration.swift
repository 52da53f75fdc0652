/// What the gateway reads from its environment.
///
/// | variable | meaning |
/// |---|---|
/// | `WAYBILL_HTTP_PORT` | the API; 0 lets the system choose |
/// | `WAYBILL_PROBE_PORT` | health and metrics, when it is another port |
/// | `WAYBILL_GATEWAY_LEDGER` | the ledger file; a journal lies beside it |
/// | `WAYBILL_GATEWAY_CALLBACK_SECRET_FILE` | file with the `whsec_…` secret; without it no callbacks are sent |
/// | `WAYBILL_PAYMENT_CALLBACK_URL` | where callbacks go; without it none are sent |
/// | `WAYBILL_GATEWAY_LATE_SECONDS` | when a late capture lands; default 20 |
/// | `WAYBILL_GATEWAY_SLOW_MILLISECONDS` | how long a slow card takes; default 3000 |
/// | `WAYBILL_GATEWAY_HOLD_SECONDS` | how long a connection without an answer is held; default 60 |
/// | `WAYBILL_GATEWAY_CALLBACK_DELAY_MILLISECONDS` | about how long after the operation its callback is sent; default 2000 |
/// | `WAYBILL_GATEWAY_CALLBACK_DUPLICATES` | percentage of callbacks sent twice on purpose; default 5 |
/// | `WAYBILL_GATEWAY_SEED` | decides which ones; default 1 |
public struct GatewayConfiguration: Sendable, Hashable {
    /// The port of the API.
    public var httpPort: Int
    /// A second port for health and metrics.
    public var probePort: Int?
    /// The ledger file.
    public var ledgerPath: String
    /// The file with the callback secret.
    public var callbackSecretFile: String?
    /// Where callbacks go.
    public var callbackURL: String?
    /// When a late capture lands.
    public var lateMilliseconds: Int64 = 20_000
    /// How long a slow card takes.
    public var slowMilliseconds: Int64 = 3000
    /// How long a connection that gets no answer is held.
    public var holdMilliseconds: Int64 = 60_000
    /// How many such connections are held at once.
    public var maximumHeld = 4096
    /// About how long after the operation its callback is sent.
    public var callbackDelayMilliseconds: Int64 = 2000
    /// Percentage of callbacks that are sent twice.
    public var callbackDuplicates = 5
    /// Decides which callbacks are sent twice.
    public var seed: UInt64 = 1

    /// Makes a configuration with defaults.
    public init(httpPort: Int, ledgerPath: String) {
        self.httpPort = httpPort
        self.ledgerPath = ledgerPath
    }

    /// Reads a configuration.
    /// - Throws: ``GatewayConfigurationFault`` that names the variable.
    public init(environment: [String: String]) throws(GatewayConfigurationFault) {
        func number(
            _ name: String,
            in range: ClosedRange<Int64>,
            default value: Int64?
        ) throws(GatewayConfigurationFault) -> Int64 {
            guard let text = environment[name], !text.isEmpty else {
                guard let value else { throw GatewayConfigurationFault("\(name) is not set.") }
                return value
            }
            guard let number = Int64(text), range.contains(number) else {
                throw GatewayConfigurationFault(
                    "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)."
                )
            }
            return number
        }
        guard let ledger = environment["WAYBILL_GATEWAY_LEDGER"], !ledger.isEmpty else {
            throw GatewayConfigurationFault("WAYBILL_GATEWAY_LEDGER is not set.")
        }
        self.init(
            httpPort: Int(try number("WAYBILL_HTTP_PORT", in: 0...65_535, default: nil)),
            ledgerPath: ledger
        )
        let probe = Int(try number("WAYBILL_PROBE_PORT", in: 0...65_535, default: Int64(httpPort)))
        probePort = probe == httpPort ? nil : probe
        callbackSecretFile = environment["WAYBILL_GATEWAY_CALLBACK_SECRET_FILE"]
        callbackURL = environment["WAYBILL_PAYMENT_CALLBACK_URL"]
        if let url = callbackURL, !url.hasPrefix("http://"), !url.hasPrefix("https://") {
            throw GatewayConfigurationFault("WAYBILL_PAYMENT_CALLBACK_URL must begin with http:// or https://.")
        }
        lateMilliseconds = try number("WAYBILL_GATEWAY_LATE_SECONDS", in: 0...86_400, default: 20) * 1000
        slowMilliseconds = try number("WAYBILL_GATEWAY_SLOW_MILLISECONDS", in: 0...600_000, default: 3000)
        holdMilliseconds = try number("WAYBILL_GATEWAY_HOLD_SECONDS", in: 0...3600, default: 60) * 1000
        callbackDelayMilliseconds = try number(
            "WAYBILL_GATEWAY_CALLBACK_DELAY_MILLISECONDS",
            in: 0...600_000,
            default: 2000
        )
        callbackDuplicates = Int(try number("WAYBILL_GATEWAY_CALLBACK_DUPLICATES", in: 0...100, default: 5))
        seed = UInt64(try number("WAYBILL_GATEWAY_SEED", in: 0...Int64.max, default: 1))
    }
}

/// Why the environment is not enough. One sentence.
public struct GatewayConfigurationFault: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// Makes a fault.
    public init(_ description: String) {
        self.description = description
    }
}
