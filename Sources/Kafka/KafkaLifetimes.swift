public import Logging

/// Runs a producer for as long as `body` takes; waits for its end (and so for the flush).
public func withKafkaProducer<Answer>(
    configuration: KafkaProducerConfiguration,
    logger: Logger,
    observer: (any KafkaObserver)? = nil,
    isolation: isolated (any Actor)? = #isolation,
    _ body: (KafkaProducer) async throws -> Answer
) async throws -> Answer {
    let producer = try KafkaProducer(configuration: configuration, logger: logger, observer: observer)
    return try await during({ try await producer.run() }, end: { producer.shutdown() }) { try await body(producer) }
}

/// Runs a consumer for as long as `body` takes; waits for its end (and so for leaving the group).
public func withKafkaConsumer<Answer>(
    configuration: KafkaConsumerConfiguration,
    logger: Logger,
    observer: (any KafkaObserver)? = nil,
    rebalanceHandler: (any KafkaRebalanceHandler)? = nil,
    isolation: isolated (any Actor)? = #isolation,
    _ body: (KafkaConsumer) async throws -> Answer
) async throws -> Answer {
    let consumer = try KafkaConsumer(
        configuration: configuration,
        logger: logger,
        observer: observer,
        rebalanceHandler: rebalanceHandler
    )
    return try await during({ try await consumer.run() }, end: { consumer.shutdown() }) { try await body(consumer) }
}

/// Runs an admin client for as long as `body` takes.
public func withKafkaAdmin<Answer>(
    configuration: KafkaClientConfiguration,
    logger: Logger,
    observer: (any KafkaObserver)? = nil,
    isolation: isolated (any Actor)? = #isolation,
    _ body: (KafkaAdmin) async throws -> Answer
) async throws -> Answer {
    let admin = try KafkaAdmin(configuration: configuration, logger: logger, observer: observer)
    return try await during({ try await admin.run() }, end: { admin.shutdown() }) { try await body(admin) }
}

/// Runs `life` in a child task while `body` runs here, then asks for its end and waits for it.
private func during<Answer>(
    _ life: @escaping @Sendable () async throws -> Void,
    end: @escaping @Sendable () -> Void,
    isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws -> Answer
) async throws -> Answer {
    async let running: Void = life()
    do {
        let answer = try await body()
        end()
        try await running
        return answer
    } catch {
        end()
        // The body's error says more than the one that follows from it.
        _ = try? await running
        throw error
    }
}
