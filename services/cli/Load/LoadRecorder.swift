import Commerce
import Foundation
import Histogram
import StrictJSON
import Synchronization
import Terminal

/// What a load run has seen so far. Safe from any task.
final class LoadRecorder: Sendable {
    /// The numbers at one moment.
    struct Snapshot: Sendable {
        var offered = 0
        var accepted = 0
        var refused = 0
        var unknown = 0
        var ended: [String: Int] = [:]
        var open: Int { accepted - ended.values.reduce(0, +) }
    }

    private struct State {
        var numbers = Snapshot()
        var accept = Histogram<UInt32>(numberOfSignificantValueDigits: .three)
        var completion = Histogram<UInt32>(numberOfSignificantValueDigits: .three)
        var placed: [String: ContinuousClock.Instant] = [:]
        mutating func end(_ order: String, _ status: String, _ instant: ContinuousClock.Instant) {
            guard let due = placed.removeValue(forKey: order) else {
                if early.count < LoadRecorder.maximumEarly { early[order] = (status, instant) }
                return
            }
            numbers.ended[status, default: 0] += 1
            if status == OrderStatus.completed.rawValue { completion.record(microseconds(instant - due)) }
        }

        /// Ends that were seen before the answer to the placement was.
        var early: [String: (status: String, at: ContinuousClock.Instant)] = [:]
    }

    /// Ends of other people's orders are seen too; beyond this many they are forgotten.
    private static let maximumEarly = 100_000

    private let state = Mutex(State())
    private let file: LineFile?

    /// - Parameter historyPath: where to write the history; an existing file is replaced.
    init(historyPath: String?) throws(CommandEnd) {
        file = if let historyPath { try LineFile(historyPath) } else { nil }
    }

    var snapshot: Snapshot { state.withLock { $0.numbers } }

    /// Orders that were accepted and have not ended.
    var open: [String] { state.withLock { Array($0.placed.keys) } }

    func offered() { state.withLock { $0.numbers.offered += 1 } }

    /// - Parameter latency: from the moment at which the order was due, not from when it could be sent.
    func accepted(
        _ key: String,
        order: String,
        answer: String,
        due: ContinuousClock.Instant,
        latency: Duration
    ) {
        state.withLock { state in
            state.numbers.accepted += 1
            state.accept.record(microseconds(latency))
            state.placed[order] = due
            if let end = state.early.removeValue(forKey: order) { state.end(order, end.status, end.at) }
        }
        acknowledged(key, order: order, answer: answer)
    }

    /// An acknowledgement, the first one or a repeated one.
    func acknowledged(_ key: String, order: String, answer: String) {
        file?.write(["key": .string(key), "outcome": "ok", "order": .string(order), "answer": .string(answer)])
    }

    /// A read of the order after its acknowledgement.
    func wasRead(_ key: String, status: Int) {
        file?.write(["key": .string(key), "outcome": "read", "status": .integer(Int64(status))])
    }

    func refused(_ key: String, status: Int) {
        state.withLock { $0.numbers.refused += 1 }
        file?.write(["key": .string(key), "outcome": "fail", "status": .integer(Int64(status))])
    }

    func unknown(_ key: String, _ reason: String) {
        state.withLock { $0.numbers.unknown += 1 }
        file?.write(["key": .string(key), "outcome": "info", "reason": .string(reason)])
    }

    /// An order was seen in a terminal status. Counted once.
    func ended(_ order: String, status: String, at instant: ContinuousClock.Instant) {
        state.withLock { state in
            state.end(order, status, instant)
        }
    }

    /// Percentiles in microseconds of accepting and of placement to completion.
    func percentiles() -> (accept: [Double: UInt64], completion: [Double: UInt64]) {
        state.withLock { state in
            func read(_ histogram: Histogram<UInt32>) -> [Double: UInt64] {
                Dictionary(uniqueKeysWithValues: [50.0, 99.0, 99.9].map { ($0, histogram.valueAtPercentile($0)) })
            }
            return (read(state.accept), read(state.completion))
        }
    }

    func close() { file?.close() }
}

private func microseconds(_ duration: Duration) -> UInt64 {
    UInt64(max(0, duration / .microseconds(1)))
}
