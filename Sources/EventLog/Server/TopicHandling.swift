import Logging
import NIOCore

extension Broker {
    // MARK: Creating topics

    func createTopics(_ request: CreateTopicsRequest) -> CreateTopicsResponse {
        let counts = Dictionary(request.topics.map { ($0.name, 1) }, uniquingKeysWith: +)
        let topics = request.topics.map { topic in
            do throws(Refusal) {
                guard counts[topic.name] == 1 else {
                    throw Refusal(.invalidRequest, "The topic is named more than once.")
                }
                return try create(topic, validateOnly: request.validateOnly)
            } catch {
                return CreateTopicsResponse.Topic(name: topic.name, error: error.code, errorMessage: error.reason)
            }
        }
        return CreateTopicsResponse(topics: topics)
    }

    private func create(
        _ topic: CreateTopicsRequest.Topic,
        validateOnly: Bool
    ) throws(Refusal) -> CreateTopicsResponse.Topic {
        let count = try partitionCount(of: topic)
        let overrides = try overrides(of: topic)
        let settings = TopicSettings(defaults: store.settingDefaults, overrides: overrides)
        var answer = CreateTopicsResponse.Topic(name: topic.name, partitionCount: count, replicationFactor: 1)
        answer.configs = configs(settings)
        if validateOnly { return answer }
        answer.id = try stored("create a topic") { () throws(StorageError) in
            try store.createTopic(topic.name, partitionCount: count, overrides: overrides).id
        }
        logger.info("Created a topic", metadata: ["topic": "\(topic.name)", "partitions": "\(count)"])
        return answer
    }

    /// Carries out a change on disk. What the disk refuses is logged; clients learn only that it did.
    private func stored<Value>(
        _ change: String,
        _ body: () throws(StorageError) -> Value
    ) throws(Refusal) -> Value {
        do {
            return try body()
        } catch {
            logger.error("Could not \(change)", metadata: ["error": "\(error)"])
            throw Refusal(.storageError, "\(error.operation) failed")
        }
    }

    private func checkLimit(adding count: Int) throws(Refusal) {
        guard count <= configuration.maxPartitions, !store.exceedsLimit(adding: count) else {
            throw Refusal(.invalidPartitions, "The server's limit is \(configuration.maxPartitions) partitions.")
        }
    }

    private func partitionCount(of topic: CreateTopicsRequest.Topic) throws(Refusal) -> Int32 {
        if let problem = LogStore.problem(withName: topic.name) { throw Refusal(.invalidTopic, problem) }
        guard store.topic(topic.name) == nil else {
            throw Refusal(.topicAlreadyExists, "Topic '\(topic.name)' already exists.")
        }
        var count = topic.partitionCount
        if !topic.assignments.isEmpty {
            guard topic.partitionCount == -1, topic.replicationFactor == -1 else {
                throw Refusal(.invalidRequest, "Give either numbers or an assignment.")
            }
            guard Set(topic.assignments.map(\.partition)) == Set(0..<Int32(topic.assignments.count)) else {
                throw Refusal(.invalidReplicaAssignment, "Partitions must be numbered from 0 without gaps.")
            }
            try check(topic.assignments.map(\.brokers))
            count = Int32(topic.assignments.count)
        } else {
            if count == -1 { count = configuration.defaultPartitions }
            guard count >= 1 else {
                throw Refusal(.invalidPartitions, "Number of partitions must be larger than 0.")
            }
            let factor = topic.replicationFactor
            guard factor == -1 || factor == 1 || factor > 1 && configuration.clampReplicationFactor else {
                throw Refusal(.invalidReplicationFactor, "This is a single node: the replication factor is 1.")
            }
        }
        try checkLimit(adding: Int(count))
        return count
    }

    /// The only node there is may be assigned; others only where the factor is clamped.
    private func check(_ assignments: [[Int32]]) throws(Refusal) {
        for brokers in assignments {
            let isOnlyUs = brokers == [LogStore.nodeId]
            let isClamped = configuration.clampReplicationFactor && brokers.contains(LogStore.nodeId)
            guard isOnlyUs || isClamped else {
                throw Refusal(.invalidReplicaAssignment, "The only broker is \(LogStore.nodeId).")
            }
        }
    }

    private func overrides(of topic: CreateTopicsRequest.Topic) throws(Refusal) -> [String: String] {
        var overrides: [String: String] = [:]
        for config in topic.configs {
            if let problem = TopicSettings.problem(config.name, config.value) {
                throw Refusal(.invalidConfig, problem)
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

    func createPartitions(_ request: CreatePartitionsRequest) -> CreatePartitionsResponse {
        let topics = request.topics.map { topic -> CreatePartitionsResponse.Topic in
            do throws(Refusal) {
                try grow(topic, validateOnly: request.validateOnly)
                return .init(name: topic.name)
            } catch {
                return .init(name: topic.name, error: error.code, errorMessage: error.reason)
            }
        }
        return CreatePartitionsResponse(topics: topics)
    }

    private func grow(_ topic: CreatePartitionsRequest.Topic, validateOnly: Bool) throws(Refusal) {
        guard let current = store.topic(topic.name)?.partitions.count else {
            throw Refusal(.unknownTopicOrPartition, "The topic '\(topic.name)' does not exist.")
        }
        let added = Int(topic.count) - current
        guard added > 0 else {
            let sentence =
                "Topic currently has \(current) partitions, which is higher than the requested \(topic.count)."
            throw Refusal(.invalidPartitions, sentence)
        }
        if let assignments = topic.assignments {
            guard assignments.count == added else {
                throw Refusal(.invalidReplicaAssignment, "Increasing by \(added) needs \(added) assignments.")
            }
            try check(assignments.map(\.brokers))
        }
        try checkLimit(adding: added)
        if validateOnly { return }
        try stored("add partitions") { () throws(StorageError) in
            try store.addPartitions(to: topic.name, count: topic.count)
        }
    }

    func deleteTopics(_ request: DeleteTopicsRequest) -> DeleteTopicsResponse {
        let wanted = request.topics + request.names.map { .init(name: $0) }
        let topics = wanted.map { wanted -> DeleteTopicsResponse.Topic in
            var answer = DeleteTopicsResponse.Topic(name: wanted.name, id: wanted.id)
            do throws(Refusal) {
                guard let topic = wanted.name.map({ store.topic($0) }) ?? store.topic(id: wanted.id) else {
                    let code: ErrorCode = wanted.name == nil ? .unknownTopicId : .unknownTopicOrPartition
                    throw Refusal(code, "This server does not host this topic.")
                }
                (answer.name, answer.id) = (topic.name, topic.id)
                try stored("delete a topic") { () throws(StorageError) in try store.deleteTopic(topic.name) }
                logger.info("Deleted a topic", metadata: ["topic": "\(topic.name)"])
            } catch {
                (answer.error, answer.errorMessage) = (error.code, error.reason)
            }
            return answer
        }
        return DeleteTopicsResponse(topics: topics)
    }

    func deleteRecords(_ request: DeleteRecordsRequest) -> DeleteRecordsResponse {
        let topics = request.topics.map { topic in
            topic.map { wanted in
                var answer = DeleteRecordsResponse.Partition(index: wanted.index)
                do throws(Refusal) {
                    answer.lowWatermark = try deleteRecords(topic.name, wanted)
                } catch {
                    answer.error = error.code
                }
                return answer
            }
        }
        return DeleteRecordsResponse(topics: topics)
    }

    /// Answers where the log begins now.
    private func deleteRecords(_ name: String, _ wanted: DeleteRecordsRequest.Partition) throws(Refusal) -> Int64 {
        guard let topic = store.topic(name), let log = store.partition(name, wanted.index) else {
            throw Refusal(.unknownTopicOrPartition)
        }
        let bounds = log.bounds
        let target = wanted.offset == -1 ? bounds.highWatermark : wanted.offset
        guard target >= 0, target <= bounds.highWatermark else { throw Refusal(.offsetOutOfRange) }
        if target <= bounds.logStart { return bounds.logStart }
        return try stored("delete records") { () throws(StorageError) in try store.trim(topic, log, to: target) }
    }

    // MARK: Settings

    func describeConfigs(_ request: DescribeConfigsRequest, _ context: RequestContext) -> DescribeConfigsResponse {
        let results = request.resources.map { resource -> DescribeConfigsResponse.Result in
            var result = DescribeConfigsResponse.Result(type: resource.type, name: resource.name)
            do throws(Refusal) {
                let wanted = resource.keys.map(Set.init)
                result.configs = try configs(of: resource, request).filter { wanted?.contains($0.name) ?? true }
            } catch {
                (result.error, result.errorMessage) = (error.code, error.reason)
            }
            return result
        }
        return DescribeConfigsResponse(results: results)
    }

    private func configs(
        of resource: DescribeConfigsRequest.Resource,
        _ request: DescribeConfigsRequest
    ) throws(Refusal) -> [DescribeConfigsResponse.Config] {
        switch resource.type {
        case DescribeConfigsRequest.topicResource:
            guard let topic = store.topic(resource.name) else {
                let isIllegal = LogStore.problem(withName: resource.name) != nil
                let code: ErrorCode = isIllegal ? .invalidTopic : .unknownTopicOrPartition
                throw Refusal(code, "There is no topic of this name.")
            }
            return TopicSettings.definitions.map { describe($0, topic.settings, request) }
        case DescribeConfigsRequest.brokerResource:
            guard resource.name == "\(LogStore.nodeId)" else {
                throw Refusal(.invalidRequest, "The only broker is \(LogStore.nodeId).")
            }
            return brokerConfigs()
        default:
            throw Refusal(.invalidRequest, "Topics (2) and brokers (4) have settings.")
        }
    }

    private func describe(
        _ definition: TopicSettings.Definition,
        _ settings: TopicSettings,
        _ request: DescribeConfigsRequest
    ) -> DescribeConfigsResponse.Config {
        let isDefault = settings.overrides[definition.name] == nil
        let source = isDefault ? DescribeConfigsResponse.Source.builtInDefault : DescribeConfigsResponse.Source.topic
        let value = settings.value(definition.name)
        let synonym = DescribeConfigsResponse.Synonym(name: definition.name, value: value, source: source)
        return DescribeConfigsResponse.Config(
            name: definition.name,
            value: value,
            isDefault: isDefault,
            source: source,
            synonyms: request.includeSynonyms ? [synonym] : [],
            type: definition.kind.rawValue,
            documentation: request.includeDocumentation ? definition.documentation : nil
        )
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
