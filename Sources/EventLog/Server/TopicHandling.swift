import Logging
import NIOCore

/// A refusal of an administrative request, with the sentence that tools show.
private struct AdminRefusal: Error {
    let code: ErrorCode
    let message: String

    init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension Broker {
    // MARK: Creating topics

    func createTopics(_ request: CreateTopicsRequest, _ responder: Responder) {
        administrate(responder) { [self] in
            var counts: [String: Int] = [:]
            for topic in request.topics { counts[topic.name, default: 0] += 1 }
            let topics = request.topics.map { topic -> CreateTopicsResponse.Topic in
                var answer = CreateTopicsResponse.Topic(name: topic.name)
                do throws(AdminRefusal) {
                    guard counts[topic.name] == 1 else {
                        throw AdminRefusal(.invalidRequest, "The topic is named more than once.")
                    }
                    let count = try partitionCount(of: topic)
                    let overrides = try overrides(of: topic)
                    answer.partitionCount = count
                    answer.replicationFactor = 1
                    answer.configs = configs(TopicSettings(defaults: store.settingDefaults, overrides: overrides))
                    guard !request.validateOnly else { return answer }
                    do throws(StorageError) {
                        answer.id = try store.createTopic(topic.name, partitionCount: count, overrides: overrides).id
                        logger.info(
                            "Created a topic",
                            metadata: ["topic": "\(topic.name)", "partitions": "\(count)"]
                        )
                    } catch {
                        logger.error("Could not create a topic", metadata: ["error": "\(error)"])
                        throw AdminRefusal(.storageError, "The topic could not be stored.")
                    }
                } catch {
                    answer = CreateTopicsResponse.Topic(
                        name: topic.name,
                        error: error.code,
                        errorMessage: error.message
                    )
                }
                return answer
            }
            responder.send(CreateTopicsResponse(topics: topics))
        }
    }

    private func partitionCount(of topic: CreateTopicsRequest.Topic) throws(AdminRefusal) -> Int32 {
        if let problem = LogStore.problem(withName: topic.name) { throw AdminRefusal(.invalidTopic, problem) }
        guard store.topic(topic.name) == nil else {
            throw AdminRefusal(.topicAlreadyExists, "Topic '\(topic.name)' already exists.")
        }
        var count = topic.partitionCount
        if !topic.assignments.isEmpty {
            guard topic.partitionCount == -1, topic.replicationFactor == -1 else {
                throw AdminRefusal(.invalidRequest, "Give either numbers or an assignment.")
            }
            guard Set(topic.assignments.map(\.partition)) == Set(0..<Int32(topic.assignments.count)) else {
                throw AdminRefusal(.invalidReplicaAssignment, "Partitions must be numbered from 0 without gaps.")
            }
            try check(topic.assignments.map(\.brokers))
            count = Int32(topic.assignments.count)
        } else {
            if count == -1 { count = configuration.defaultPartitions }
            guard count >= 1 else {
                throw AdminRefusal(.invalidPartitions, "Number of partitions must be larger than 0.")
            }
            let factor = topic.replicationFactor
            guard factor == -1 || factor == 1 || factor > 1 && configuration.clampReplicationFactor else {
                throw AdminRefusal(.invalidReplicationFactor, "This is a single node: the replication factor is 1.")
            }
        }
        guard Int(count) <= configuration.maxPartitions, !store.exceedsLimit(adding: Int(count)) else {
            throw AdminRefusal(.invalidPartitions, "The server's limit is \(configuration.maxPartitions) partitions.")
        }
        return count
    }

    /// The only node there is may be assigned; others only where the factor is clamped.
    private func check(_ assignments: [[Int32]]) throws(AdminRefusal) {
        for brokers in assignments {
            let isOnlyUs = brokers == [LogStore.nodeId]
            let isClamped = configuration.clampReplicationFactor && brokers.contains(LogStore.nodeId)
            guard isOnlyUs || isClamped else {
                throw AdminRefusal(.invalidReplicaAssignment, "The only broker is \(LogStore.nodeId).")
            }
        }
    }

    private func overrides(of topic: CreateTopicsRequest.Topic) throws(AdminRefusal) -> [String: String] {
        var overrides: [String: String] = [:]
        for config in topic.configs {
            if let problem = TopicSettings.problem(config.name, config.value) {
                throw AdminRefusal(.invalidConfig, problem)
            }
            overrides[config.name] = config.value
        }
        return overrides
    }

    private func configs(_ settings: TopicSettings) -> [CreateTopicsResponse.Config] {
        TopicSettings.definitions.map { definition in
            CreateTopicsResponse.Config(
                name: definition.name,
                value: settings.value(definition.name),
                source: settings.overrides[definition.name] == nil
                    ? DescribeConfigsResponse.Source.builtInDefault : DescribeConfigsResponse.Source.topic
            )
        }
    }

    // MARK: Changing and deleting topics

    func createPartitions(_ request: CreatePartitionsRequest, _ responder: Responder) {
        administrate(responder) { [self] in
            let topics = request.topics.map { topic -> CreatePartitionsResponse.Topic in
                do throws(AdminRefusal) {
                    guard let current = store.topic(topic.name)?.partitions.count else {
                        throw AdminRefusal(.unknownTopicOrPartition, "The topic '\(topic.name)' does not exist.")
                    }
                    guard Int(topic.count) > current else {
                        throw AdminRefusal(
                            .invalidPartitions,
                            "Topic currently has \(current) partitions, which is higher than the requested \(topic.count)."
                        )
                    }
                    let added = Int(topic.count) - current
                    if let assignments = topic.assignments {
                        guard assignments.count == added else {
                            throw AdminRefusal(
                                .invalidReplicaAssignment,
                                "Increasing by \(added) needs \(added) assignments."
                            )
                        }
                        try check(assignments.map(\.brokers))
                    }
                    guard !store.exceedsLimit(adding: added) else {
                        throw AdminRefusal(
                            .invalidPartitions,
                            "The server's limit is \(configuration.maxPartitions) partitions."
                        )
                    }
                    if !request.validateOnly {
                        do throws(StorageError) {
                            try store.addPartitions(to: topic.name, count: topic.count)
                        } catch {
                            logger.error("Could not add partitions", metadata: ["error": "\(error)"])
                            throw AdminRefusal(.storageError, "The partitions could not be stored.")
                        }
                    }
                    return .init(name: topic.name)
                } catch {
                    return .init(name: topic.name, error: error.code, errorMessage: error.message)
                }
            }
            responder.send(CreatePartitionsResponse(topics: topics))
        }
    }

    func deleteTopics(_ request: DeleteTopicsRequest, _ responder: Responder) {
        administrate(responder) { [self] in
            let wanted = request.topics + request.names.map { .init(name: $0) }
            let topics = wanted.map { wanted -> DeleteTopicsResponse.Topic in
                let topic = wanted.name.map { store.topic($0) } ?? store.topic(id: wanted.id)
                guard let topic else {
                    return .init(
                        name: wanted.name,
                        id: wanted.id,
                        error: wanted.name == nil ? .unknownTopicId : .unknownTopicOrPartition,
                        errorMessage: "This server does not host this topic."
                    )
                }
                do throws(StorageError) {
                    try store.deleteTopic(topic.name)
                    logger.info("Deleted a topic", metadata: ["topic": "\(topic.name)"])
                    return .init(name: topic.name, id: topic.id)
                } catch {
                    logger.error("Could not delete a topic", metadata: ["error": "\(error)"])
                    return .init(
                        name: topic.name,
                        id: topic.id,
                        error: .storageError,
                        errorMessage: "\(error.operation) failed"
                    )
                }
            }
            responder.send(DeleteTopicsResponse(topics: topics))
        }
    }

    func deleteRecords(_ request: DeleteRecordsRequest, _ responder: Responder) {
        administrate(responder) { [self] in
            let topics = request.topics.map { topic in topic.map { deleteRecords(topic.name, $0) } }
            responder.send(DeleteRecordsResponse(topics: topics))
        }
    }

    private func deleteRecords(
        _ name: String,
        _ wanted: DeleteRecordsRequest.Partition
    ) -> DeleteRecordsResponse.Partition {
        var answer = DeleteRecordsResponse.Partition(index: wanted.index)
        guard let topic = store.topic(name), let log = store.partition(name, wanted.index) else {
            answer.error = .unknownTopicOrPartition
            return answer
        }
        let bounds = log.bounds
        let target = wanted.offset == -1 ? bounds.highWatermark : wanted.offset
        guard target >= 0, target <= bounds.highWatermark else {
            answer.error = .offsetOutOfRange
            return answer
        }
        do throws(StorageError) {
            let isDone = target <= bounds.logStart
            answer.lowWatermark = isDone ? bounds.logStart : try store.trim(topic, log, to: target)
        } catch {
            logger.error("Could not delete records", metadata: ["error": "\(error)"])
            answer.error = .storageError
        }
        return answer
    }

    // MARK: Settings

    func describeConfigs(_ request: DescribeConfigsRequest, _ responder: Responder) {
        let results = request.resources.map { resource -> DescribeConfigsResponse.Result in
            var result = DescribeConfigsResponse.Result(type: resource.type, name: resource.name)
            let wanted = resource.keys.map(Set.init)
            switch resource.type {
            case DescribeConfigsRequest.topicResource:
                guard let topic = store.topic(resource.name) else {
                    let isIllegal = LogStore.problem(withName: resource.name) != nil
                    result.error = isIllegal ? .invalidTopic : .unknownTopicOrPartition
                    result.errorMessage = "There is no topic of this name."
                    return result
                }
                for definition in TopicSettings.definitions where wanted?.contains(definition.name) ?? true {
                    result.configs.append(
                        describe(
                            definition,
                            topic.settings,
                            synonyms: request.includeSynonyms,
                            documentation: request.includeDocumentation
                        )
                    )
                }
            case DescribeConfigsRequest.brokerResource:
                guard resource.name == "\(LogStore.nodeId)" else {
                    result.error = .invalidRequest
                    result.errorMessage = "The only broker is \(LogStore.nodeId)."
                    return result
                }
                result.configs = brokerConfigs().filter { wanted?.contains($0.name) ?? true }
            default:
                result.error = .invalidRequest
                result.errorMessage = "Topics (2) and brokers (4) have settings."
            }
            return result
        }
        responder.send(DescribeConfigsResponse(results: results))
    }

    private func describe(
        _ definition: TopicSettings.Definition,
        _ settings: TopicSettings,
        synonyms: Bool,
        documentation: Bool
    ) -> DescribeConfigsResponse.Config {
        let isDefault = settings.overrides[definition.name] == nil
        let source = isDefault ? DescribeConfigsResponse.Source.builtInDefault : DescribeConfigsResponse.Source.topic
        let value = settings.value(definition.name)
        var config = DescribeConfigsResponse.Config(
            name: definition.name,
            value: value,
            isDefault: isDefault,
            source: source,
            type: definition.kind.rawValue,
            documentation: documentation ? definition.documentation : nil
        )
        if synonyms { config.synonyms = [.init(name: definition.name, value: value, source: source)] }
        return config
    }

    private func brokerConfigs() -> [DescribeConfigsResponse.Config] {
        let values: [(String, String)] = [
            ("auto.create.topics.enable", "\(configuration.autoCreateTopics)"),
            ("broker.id", "\(LogStore.nodeId)"),
            ("group.initial.rebalance.delay.ms", "\(configuration.initialRebalanceDelayMs)"),
            ("group.max.size", "\(configuration.maxGroupMembers)"),
            ("group.min.session.timeout.ms", "\(configuration.minSessionTimeoutMs)"),
            ("log.retention.bytes", "\(configuration.retentionBytes)"),
            ("log.retention.ms", "\(configuration.retentionMs)"),
            ("log.segment.bytes", "\(configuration.segmentBytes)"),
            ("max.connections", "\(configuration.maxConnections)"),
            ("message.max.bytes", "\(configuration.maxMessageBytes)"),
            ("num.partitions", "\(configuration.defaultPartitions)"),
            ("offsets.retention.ms", "\(configuration.offsetRetentionMs)"),
            ("socket.request.max.bytes", "\(configuration.maxRequestBytes)"),
        ]
        return values.map { name, value in
            DescribeConfigsResponse.Config(
                name: name,
                value: value,
                isReadOnly: true,
                isDefault: true,
                source: DescribeConfigsResponse.Source.staticBroker,
                type: TopicSettings.Kind.string.rawValue
            )
        }
    }
}
