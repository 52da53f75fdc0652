import Foundation
import Glibc
import HTTPKit

/// The installation under test: where its parts are, and how they are asked.
struct Installation: Sendable {
    /// The repository.
    let root: String
    /// The folder with the programs.
    let programs: String
    /// The run directory.
    let directory: String
    /// What `DIR/env` sets.
    let environment: [String: String]
    let sender: HTTPSender

    /// The services, in the order in which they are shown.
    static let services = ["order", "payment", "inventory", "notification", "analytics"]

    /// Reads the addresses of a run directory.
    /// - Throws: ``ChaosFailure`` when there is none.
    init(root: String, programs: String, directory: String, sender: HTTPSender) throws(ChaosFailure) {
        self.root = root
        self.programs = programs
        self.directory = directory
        self.sender = sender
        guard let text = try? String(contentsOfFile: directory + "/env", encoding: .utf8) else {
            throw ChaosFailure("\(directory)/env cannot be read: nothing was started there.")
        }
        var environment: [String: String] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("export ") {
            let pair = line.dropFirst(7).split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { continue }
            environment[String(pair[0])] = pair[1].trimmingCharacters(in: CharacterSet(charactersIn: "'"))
        }
        self.environment = environment
    }

    /// A variable of the run directory.
    /// - Throws: ``ChaosFailure`` when it is not set.
    func variable(_ name: String) throws(ChaosFailure) -> String {
        guard let value = environment[name], !value.isEmpty else { throw ChaosFailure("\(name) is not set.") }
        return value
    }

    /// A port by its name in `DIR/ports`.
    func port(_ name: String) throws(ChaosFailure) -> Int {
        let text = (try? String(contentsOfFile: directory + "/ports", encoding: .utf8)) ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix(name + "=") {
            if let port = Int(line.dropFirst(name.count + 1)) { return port }
        }
        throw ChaosFailure("\(directory)/ports names no port \(name).")
    }

    /// Our environment with the addresses of the run directory.
    func childEnvironment(_ changes: [String: String] = [:]) -> [String: String] {
        ProcessInfo.processInfo.environment.merging(environment) { $1 }.merging(changes) { $1 }
    }

    // MARK: - Processes

    /// The process `payment-2`, if it runs.
    func process(_ id: String) -> ProcessHandle? {
        let text = (try? String(contentsOfFile: "\(directory)/pids/\(id).pid", encoding: .utf8)) ?? ""
        return Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)).flatMap { ProcessHandle(pid: $0) }
    }

    /// Which instance of a service is active and which stands by.
    func roles(of service: String) async -> (active: String?, standby: String?) {
        async let first = isActive(service + "-1")
        async let second = isActive(service + "-2")
        switch await (first, second) {
        case (true, _): return (service + "-1", service + "-2")
        case (false, true): return (service + "-2", service + "-1")
        case (false, false): return (nil, nil)
        }
    }

    /// Whether an instance says that it is the active one.
    func isActive(_ id: String) async -> Bool {
        await metrics(of: id)?.contains("\nwaybill_instance_active 1") ?? false
    }

    /// The metrics of an instance; `nil` when it does not answer.
    func metrics(of id: String) async -> String? {
        let name = "probe_" + id.replacing("-", with: "_")
        guard let port = try? port(name),
            case .success(let reply) = await sender.send(
                "GET",
                url: "http://127.0.0.1:\(port)/metrics",
                deadline: .seconds(1),
                maxResponseBytes: 4 << 20
            ), reply.isSuccess
        else { return nil }
        return "\n" + String(decoding: reply.body, as: UTF8.self)
    }

    /// Whether a service, or a part of which there is one, is ready.
    func isReady(_ name: String) async -> Bool {
        switch name {
        case "rabbitmq":
            guard let management = try? ManagementAPI(self) else { return false }
            return await management.isAnswering()
        case "event-log":
            guard let port = try? port("event_log_metrics") else { return false }
            return await answersReady(port)
        case "gateway":
            guard let port = try? port("http_gateway") else { return false }
            return await answersReady(port)
        default:
            guard let active = await roles(of: name).active,
                let port = try? port("probe_" + active.replacing("-", with: "_"))
            else { return false }
            return await answersReady(port)
        }
    }

    /// Whether a service is ready and its standby is in place.
    func isPairReady(_ service: String) async -> Bool {
        async let first = metrics(of: service + "-1")
        async let second = metrics(of: service + "-2")
        guard await first != nil, await second != nil else { return false }
        return await isReady(service)
    }

    private func answersReady(_ port: Int) async -> Bool {
        guard
            case .success(let reply) = await sender.send(
                "GET",
                url: "http://127.0.0.1:\(port)/health/ready",
                deadline: .seconds(1)
            )
        else { return false }
        return reply.isSuccess
    }
}

/// Why a run cannot go on. One sentence.
struct ChaosFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A process that cannot be mistaken for another one with the same number.
struct ProcessHandle: Sendable, Hashable {
    let pid: Int32
    private let startTicks: UInt64

    /// Looks at a process; `nil` when there is none.
    init?(pid: Int32) {
        guard pid > 1, let ticks = Self.startTicks(pid) else { return nil }
        self.pid = pid
        startTicks = ticks
    }

    /// Whether it still exists.
    var isAlive: Bool { Self.startTicks(pid) == startTicks }

    /// Sends a signal; says whether it reached the process.
    @discardableResult
    func signal(_ number: Int32) -> Bool {
        isAlive && kill(pid, number) == 0
    }

    /// Whether it stands still, after SIGSTOP: at once as a rule, within a second at most.
    func hasStopped() async -> Bool {
        for _ in 0..<100 {
            if Self.status(pid)?.first == "T" { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    /// How many descriptors it has open.
    var openDescriptors: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count) ?? 0
    }

    /// The soft limit of open descriptors.
    var descriptorLimit: Int? {
        guard isAlive, let text = try? String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8) else {
            return nil
        }
        for line in text.split(separator: "\n") where line.hasPrefix("Max open files") {
            return line.dropFirst(14).split(separator: " ").first.flatMap { Int($0) }
        }
        return nil
    }

    /// Sets the soft limit of open descriptors; says whether the system did it.
    @discardableResult
    func limitDescriptors(to count: Int) async -> Bool {
        guard isAlive else { return false }
        let result = try? await Shell.run("/usr/bin/prlimit", ["--pid", "\(pid)", "--nofile=\(count):"])
        return result?.code == 0
    }

    /// Field 22 of its status line.
    private static func startTicks(_ pid: Int32) -> UInt64? {
        guard let fields = status(pid), fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
        return UInt64(fields[19])
    }

    /// Its status line from field 3 on, counted behind the name, which may hold anything.
    private static func status(_ pid: Int32) -> [Substring]? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }
}
