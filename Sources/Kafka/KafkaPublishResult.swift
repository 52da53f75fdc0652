/// What became of a published record. Every record gets exactly one.
public enum KafkaPublishResult: Sendable, Hashable {
    /// The broker has it, acknowledged by all in-sync replicas. `offset` is −1 where the broker recognised a repeated batch and the
    /// first answer, with the offset, was lost on the way.
    case persisted(partition: Int32, offset: Int64)
    /// It is certainly not in the log. Publish it again when `shouldPublishAgain` says so.
    case notPersisted(KafkaErrorCode)
    /// It may be in the log: no answer came. Publish it again, in order; a reader may then see it twice and drops the second by the
    /// event's id.
    case possiblyPersisted(KafkaErrorCode)
    /// Above `maxRecordBytes` or above the broker's limit. It will never fit.
    case tooLarge
    /// The producer can never publish: the C library refused its configuration. Not about this record.
    case fatal(KafkaErrorCode)

    /// Whether the broker has acknowledged it.
    public var isPersisted: Bool {
        if case .persisted = self { true } else { false }
    }

    /// Whether publishing the same record again can help.
    public var shouldPublishAgain: Bool {
        switch self {
        case .persisted, .tooLarge, .fatal: false
        case .possiblyPersisted: true
        case .notPersisted(let code): code.isRetriable
        }
    }
}
