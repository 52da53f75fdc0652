public import HTTPTypes
import Hummingbird
import Telemetry

/// Who a request is: its id and its place in a trace.
public enum RequestIdentity {
    // The literals are valid names, so the fallback is never taken.
    /// Header of the request's id, in both directions.
    public static let requestIDField = HTTPField.Name("X-Request-Id") ?? .date
    /// Header of the W3C trace context, in both directions.
    public static let traceparentField = HTTPField.Name("traceparent") ?? .date
    /// Header of the W3C trace state.
    public static let tracestateField = HTTPField.Name("tracestate") ?? .date

    /// Longest request id that is taken over from a client, in bytes.
    public static let maxIDBytes = 64

    /// The client's id when it is 1–64 letters, digits, dots, dashes and underscores; else a new one.
    static func id(of request: Request) -> String {
        if let given = request.headers[requestIDField], isUsable(given) { return given }
        let number = UInt64.random(in: .min ... .max)
        let digits = String(number, radix: 16)
        return "req-" + String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// A child of the client's span, or a new trace.
    static func trace(of request: Request) -> TraceContext {
        let parent = request.headers[traceparentField].flatMap {
            TraceContext(traceparent: $0, tracestate: request.headers[tracestateField])
        }
        return parent?.child() ?? TraceContext.root()
    }

    static func isUsable(_ id: String) -> Bool {
        !id.isEmpty && id.utf8.count <= maxIDBytes
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
