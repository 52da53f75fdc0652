import Kafka

/// Which offsets a reader tells the broker, and when: at most once in `interval`, and one commit at a time. What is reached while
/// one is out goes with the next; nobody waits for an answer, since nothing reads these offsets back.
struct CommitPace {
    static let interval: Duration = .seconds(1)

    private var reached: [KafkaTopicPartition: Int64] = [:]
    private var last: ContinuousClock.Instant
    private var isOut = false

    init(at now: ContinuousClock.Instant) { last = now }

    /// The reader has come to an offset: the next one that it will read.
    mutating func add(_ partition: KafkaTopicPartition, next: Int64) {
        reached[partition] = max(reached[partition] ?? 0, next)
    }

    /// What is to be committed now; empty when nothing is. Each answer ends with ``answered()``.
    mutating func take(at now: ContinuousClock.Instant) -> [KafkaTopicPartition: Int64] {
        guard !isOut, !reached.isEmpty, now - last >= Self.interval else { return [:] }
        isOut = true
        last = now
        defer { reached = [:] }
        return reached
    }

    /// The commit that was out has been answered, or has failed.
    mutating func answered() { isOut = false }
}
