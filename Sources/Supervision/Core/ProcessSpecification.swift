/// One entry of the process table: what to run, how to tell that it lives, how to stop it.
///
/// Relative paths are taken from the run directory. In JSON the keys are the property names; those with a default may be absent.
public struct ProcessSpecification: Sendable, Equatable {
    /// The role, such as `order`: lower-case letters, digits and `-`, at most 40 characters.
    public var name: String
    /// 1…99; instances above 1 share the role.
    public var instance: Int
    /// Absolute path of the program.
    public var executable: String
    /// Its arguments, without the program's name.
    public var arguments: [String]
    /// File with its environment (``EnvironmentFile``), or `nil` for the base environment only.
    public var environmentFile: String?
    /// Standard output and standard error are appended here.
    public var logFile: String
    /// Holds the process id while it runs.
    public var pidFile: String
    /// Where it is probed; `nil` means that running is all that can be known.
    public var probe: ProbeTarget?
    /// Ids that are started before and stopped after this one.
    public var dependsOn: [String]
    /// The signal that asks it to end, such as 15.
    public var stopSignal: Int32
    /// Seconds from the stop signal to SIGKILL.
    public var stopLimit: Duration
    /// Silence after which it counts as frozen; `nil` means never.
    public var freezeLimit: Duration?
    /// Silence from the start after which it counts as never started; `nil` means never.
    public var startLimit: Duration?
    /// What people connect to, for display only.
    public var address: String?
    /// Any text; a change makes `reload` restart the process (a new binary, a new environment).
    public var revision: String?

    /// `name-instance`, such as `payment-2`: unique in the table.
    public var id: String { "\(name)-\(instance)" }

    /// The limits for ``ProcessHealth``; without a probe there is nothing to be silent.
    public var healthLimits: ProcessHealth.Limits {
        ProcessHealth.Limits(freeze: freezeLimit, start: startLimit)
    }
}

extension ProcessSpecification: Decodable {
    enum CodingKeys: String, CodingKey {
        case name, instance, executable, arguments, environmentFile, logFile, pidFile, probe, dependsOn
        case stopSignal, stopSeconds, freezeSeconds, startSeconds, address, revision
    }

    /// Decodes and checks one entry; errors name the entry and the key.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        instance = try values.decodeIfPresent(Int.self, forKey: .instance) ?? 1
        guard Self.isName(name) else { throw SupervisionError("'\(name.prefix(60))' is not a process name") }
        guard (1...99).contains(instance) else { throw SupervisionError("instance of '\(name)' must be 1 to 99") }
        let id = "\(name)-\(instance)"
        executable = try values.decode(String.self, forKey: .executable)
        guard executable.hasPrefix("/") else {
            throw SupervisionError("executable of '\(id)' must be an absolute path")
        }
        arguments = try values.decodeIfPresent([String].self, forKey: .arguments) ?? []
        environmentFile = try values.decodeIfPresent(String.self, forKey: .environmentFile)
        logFile = try values.decodeIfPresent(String.self, forKey: .logFile) ?? "logs/\(id).log"
        pidFile = try values.decodeIfPresent(String.self, forKey: .pidFile) ?? "pids/\(id).pid"
        if let text = try values.decodeIfPresent(String.self, forKey: .probe) {
            guard let target = ProbeTarget(text) else {
                throw SupervisionError("probe of '\(id)' must be http://127.0.0.1:PORT/PATH or tcp://127.0.0.1:PORT")
            }
            probe = target
        } else {
            probe = nil
        }
        dependsOn = try values.decodeIfPresent([String].self, forKey: .dependsOn) ?? []
        let signalName = try values.decodeIfPresent(String.self, forKey: .stopSignal) ?? "TERM"
        guard let signal = Self.signals[signalName] else {
            throw SupervisionError("stopSignal of '\(id)' must be TERM, INT, QUIT or HUP")
        }
        stopSignal = signal
        stopLimit = try Self.seconds(values, .stopSeconds, of: id) ?? .seconds(5)
        freezeLimit = try Self.seconds(values, .freezeSeconds, of: id)
        startLimit = try Self.seconds(values, .startSeconds, of: id)
        address = try values.decodeIfPresent(String.self, forKey: .address)
        revision = try values.decodeIfPresent(String.self, forKey: .revision)
    }

    private static let signals: [String: Int32] = ["TERM": 15, "INT": 2, "QUIT": 3, "HUP": 1]

    private static func seconds(
        _ values: KeyedDecodingContainer<CodingKeys>,
        _ key: CodingKeys,
        of id: String
    ) throws -> Duration? {
        guard let value = try values.decodeIfPresent(Double.self, forKey: key) else { return nil }
        guard value > 0, value <= 3600 else {
            throw SupervisionError("\(key.stringValue) of '\(id)' must be above 0 and at most 3600")
        }
        return .milliseconds(Int64(value * 1000))
    }

    private static func isName(_ text: String) -> Bool {
        guard (1...40).contains(text.utf8.count), let first = text.utf8.first, (0x61...0x7a).contains(first) else {
            return false
        }
        return text.utf8.allSatisfy { byte in
            byte == 0x2d || (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte)
        }
    }
}
