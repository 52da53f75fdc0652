import Foundation
import StrictJSON
import Synchronization

/// What has happened so far: kept in memory for the view and the report, and as JSON lines for whoever looks at it later.
final class Journal: Sendable {
    private struct State {
        var active: [Int: FaultRecord] = [:]
        var done: [FaultRecord] = []
        var checks: [CheckRecord] = []
        var file: FileHandle?
    }

    private let state: Mutex<State>
    private let start: ContinuousClock.Instant
    /// Told about every fault that begins, ends or is skipped.
    private let onChange: @Sendable (FaultRecord, String) -> Void

    init(path: String, onChange: @escaping @Sendable (FaultRecord, String) -> Void) throws(ChaosFailure) {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        guard let file = FileHandle(forWritingAtPath: path) else { throw ChaosFailure("\(path) cannot be written.") }
        state = Mutex(State(file: file))
        start = .now
        self.onChange = onChange
    }

    /// Milliseconds since the beginning of the run.
    var now: Int64 { Int64((ContinuousClock.now - start) / .milliseconds(1)) }

    /// Waits for a moment of the run.
    func sleep(until milliseconds: Int64) async {
        try? await Task.sleep(until: start + .milliseconds(milliseconds), clock: .continuous)
    }

    func begin(_ record: FaultRecord) {
        state.withLock { $0.active[record.fault.number] = record }
        write(record, "begun")
    }

    func healed(_ record: FaultRecord) {
        state.withLock { $0.active[record.fault.number] = record }
        write(record, "healed")
    }

    func end(_ record: FaultRecord) {
        state.withLock { state in
            state.active[record.fault.number] = nil
            state.done.append(record)
        }
        write(record, record.isInjected ? "recovered" : "skipped")
    }

    func add(_ check: CheckRecord) { state.withLock { $0.checks.append(check) } }

    /// Faults that are on or whose target is not ready yet, by their number.
    var active: [FaultRecord] { state.withLock { $0.active.values.sorted { $0.fault.number < $1.fault.number } } }
    var done: [FaultRecord] { state.withLock { $0.done } }
    var checks: [CheckRecord] { state.withLock { $0.checks } }

    private func write(_ record: FaultRecord, _ phase: String) {
        onChange(record, phase)
        var object: JSONObject = [
            "at": .integer(now), "phase": .string(phase), "fault": .integer(Int64(record.fault.number)),
            "kind": .string(record.fault.kind.rawValue), "target": .string(record.fault.target),
            "note": .string(record.note),
        ]
        if let recovery = record.recovery { object["recoveryMs"] = .integer(recovery) }
        if let violation = record.violation { object["violation"] = .string(violation) }
        let line = Data(StrictJSON.encode(.object(object)) + [UInt8(ascii: "\n")])
        state.withLock { $0.file?.write(line) }
    }
}
