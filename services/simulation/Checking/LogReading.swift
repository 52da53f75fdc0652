import Messaging
import Simulation
import Verification

/// The records of the log as the checks read them, made once: what is in a log does not change, and a world is verified twice.
struct LogReading {
    private var lanes: [[LogRecord]] = []

    /// Every record, lane after lane.
    mutating func records(of log: SimulatedLog) -> [LogRecord] {
        while lanes.count < log.laneCount { lanes.append([]) }
        for lane in lanes.indices {
            for record in log.read(lane, from: Int64(lanes[lane].count), limit: Int(log.end(of: lane))) {
                lanes[lane].append(LogRecord(record))
            }
        }
        return lanes.flatMap { $0 }
    }
}

extension LogRecord {
    fileprivate init(_ record: SimulatedLog.Record) {
        self.init(
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            key: record.key,
            eventID: record.envelope.id,
            type: record.envelope.type,
            subject: record.envelope.subject,
            sequence: record.envelope.sequence ?? 0,
            causationID: record.envelope.causationID,
            timeMilliseconds: record.envelope.time.millisecondsSinceEpoch,
            body: record.envelope.body
        )
    }
}
