// Questions to the cluster that consumers and admins share.
extension ClientCore {
    func topics(timeout: Duration) async throws -> [KafkaTopic] {
        try await ask { client in try client.topics(milliseconds: timeout.wholeMilliseconds(1...300_000)) }
    }

    func watermarks(
        _ partitions: [KafkaTopicPartition],
        timeout: Duration
    ) async throws -> [KafkaTopicPartition: KafkaWatermarks] {
        guard !partitions.isEmpty else { return [:] }
        return try await ask { client in
            let deadline = ContinuousClock.now + timeout
            var answers: [KafkaTopicPartition: KafkaWatermarks] = [:]
            for partition in partitions {
                let left = (deadline - .now).wholeMilliseconds(1...300_000)
                answers[partition] = try client.watermarks(partition, milliseconds: left)
            }
            return answers
        }
    }

    func offsets(
        atTimestampMilliseconds timestamp: Int64,
        _ partitions: [KafkaTopicPartition],
        timeout: Duration
    ) async throws -> [KafkaTopicPartition: Int64] {
        guard !partitions.isEmpty else { return [:] }
        return try await ask { client in
            try client.offsets(
                atTimestampMilliseconds: max(0, timestamp),
                partitions,
                milliseconds: timeout.wholeMilliseconds(1...300_000)
            )
        }
    }

    /// A call whose success shows that a broker is there.
    func ask<Answer: Sendable>(_ body: @escaping @Sendable (RDKafkaClient) throws -> Answer) async throws -> Answer {
        let answer = try await call(body)
        events.answered()
        return answer
    }
}
