public import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Writes each log event as one JSON object on one line.
///
/// Fields: `ts` (UTC, milliseconds), `level`, `msg`, `service`, `instance`, `logger`, `trace_id` and `span_id` (from
/// ``TraceContext/current``), `error.type` and `error` when the event has an error, then the metadata by name. A line has at most
/// 8 KiB, a string in it 1 KiB; what is over is cut and marked. Values under names that speak of secrets or payloads
/// (``redactedNames``) are never written. Value semantics; safe to use from any thread.
public struct JSONLogHandler: LogHandler {
    /// A moment as seconds and nanoseconds since 1970 in UTC.
    public typealias WallClock = @Sendable () -> (seconds: Int64, nanoseconds: Int64)

    /// The logger's label.
    public let label: String
    /// Name of the service in each line.
    public let service: String
    /// Number of the instance in each line.
    public let instance: String
    /// Least level that is written.
    public var logLevel: Logger.Level
    /// Fields of each line.
    public var metadata: Logger.Metadata = [:]
    /// Gives further fields at the time of the event.
    public var metadataProvider: Logger.MetadataProvider?

    private let output: any LogOutput
    private let clock: WallClock

    /// A metadata key whose last word is one of these is written as `[redacted]`.
    public static let redactedNames: Set<String> = [
        "authorization", "cookie", "password", "passwd", "secret", "token", "apikey", "api_key", "payload", "body",
        "card", "pan",
    ]

    /// Creates a handler.
    public init(
        label: String,
        service: String,
        instance: String,
        logLevel: Logger.Level = .info,
        metadataProvider: Logger.MetadataProvider? = nil,
        output: any LogOutput = FileDescriptorLogOutput.standardOutput,
        clock: @escaping WallClock = Self.systemClock
    ) {
        self.label = label
        self.service = service
        self.instance = instance
        self.logLevel = logLevel
        self.metadataProvider = metadataProvider
        self.output = output
        self.clock = clock
    }

    /// The real time of this machine.
    public static let systemClock: WallClock = {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return (Int64(now.tv_sec), Int64(now.tv_nsec))
    }

    /// Installs this handler for every logger of the process. To be called once, first thing in `main`.
    public static func bootstrap(
        service: String,
        instance: String,
        logLevel: Logger.Level = .info,
        output: any LogOutput = FileDescriptorLogOutput.standardOutput
    ) {
        LoggingSystem.bootstrap(
            { label, provider in
                JSONLogHandler(
                    label: label,
                    service: service,
                    instance: instance,
                    logLevel: logLevel,
                    metadataProvider: provider,
                    output: output
                )
            },
            metadataProvider: nil
        )
    }

    /// A field of each line.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one event.
    public func log(event: LogEvent) {
        let now = clock()
        var line = LogLine()
        line.add("ts", LogTime.text(seconds: now.seconds, nanoseconds: now.nanoseconds))
        line.add("level", event.level.rawValue)
        line.add("msg", event.message.description)
        line.add("service", service)
        line.add("instance", instance)
        line.add("logger", label)
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { _, new in new } }
        if let own = event.metadata { fields.merge(own) { _, new in new } }
        if let trace = TraceContext.current, fields[LogKey.traceID.rawValue] == nil {
            line.add(LogKey.traceID.rawValue, trace.traceID.description)
            line.add(LogKey.spanID.rawValue, trace.spanID.description)
        }
        if let error = event.error {
            line.add(LogKey.errorType.rawValue, String(describing: type(of: error)))
            line.add("error", String(describing: error))
        }
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            if Self.isRedacted(key) {
                line.add(key, "[redacted]")
            } else {
                line.add(key) { Self.write(value, depth: 0, into: &$0) }
            }
        }
        output.write(line: line.finish())
    }

    private static func isRedacted(_ key: String) -> Bool {
        let last = key.utf8.split(whereSeparator: { $0 == UInt8(ascii: ".") }).last.map { String($0) ?? key } ?? key
        return redactedNames.contains(last.lowercased())
    }

    private static func write(_ value: Logger.MetadataValue, depth: Int, into line: inout LogLine) {
        switch value {
        case .string(let text): line.string(text)
        case .stringConvertible(let object): line.string(object.description)
        case .array(let elements):
            guard depth < LogLine.maxDepth else { return line.string("…") }
            line.raw("[")
            for (index, element) in elements.prefix(LogLine.maxElements).enumerated() where !line.isFull {
                if index > 0 { line.raw(",") }
                write(element, depth: depth + 1, into: &line)
            }
            line.raw("]")
        case .dictionary(let members):
            guard depth < LogLine.maxDepth else { return line.string("…") }
            line.raw("{")
            for (index, member) in members.sorted(by: { $0.key < $1.key }).prefix(LogLine.maxElements).enumerated()
            where !line.isFull {
                if index > 0 { line.raw(",") }
                line.string(member.key)
                line.raw(":")
                if isRedacted(member.key) {
                    line.string("[redacted]")
                } else {
                    write(member.value, depth: depth + 1, into: &line)
                }
            }
            line.raw("}")
        }
    }
}

/// RFC 3339 time in UTC, without Foundation.
enum LogTime {
    static func text(seconds: Int64, nanoseconds: Int64) -> String {
        let days = Int64((Double(seconds) / 86_400).rounded(.down))
        let rest = seconds - days * 86_400
        let (year, month, day) = civil(days)
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(rest / 3600, 2)):\(pad(rest / 60 % 60, 2)):"
            + "\(pad(rest % 60, 2)).\(pad(nanoseconds / 1_000_000, 3))Z"
    }

    /// Year, month and day of the proleptic Gregorian calendar, counted in eras of 400 years that start on 1 March.
    private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return digits.utf8.count >= width ? digits : String(repeating: "0", count: width - digits.utf8.count) + digits
    }
}
