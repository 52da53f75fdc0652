import Logging
import NIOCore

extension Broker {
    func metadata(_ request: MetadataRequest, _ responder: Responder) {
        guard let wanted = request.topics, !wanted.isEmpty || responder.context.version > 0 else {
            return responder.send(metadataResponse(store.topics.map { describe($0) }))
        }
        let mayCreate = configuration.autoCreateTopics && request.allowAutoTopicCreation
        let missing = wanted.compactMap(\.name).filter {
            store.topic($0) == nil && LogStore.problem(withName: $0) == nil
        }
        guard mayCreate, !missing.isEmpty else {
            return responder.send(metadataResponse(wanted.map { lookUp($0) }))
        }
        administrate(responder) { [self] in
            for name in missing where store.topic(name) == nil {
                guard !store.exceedsLimit(adding: Int(configuration.defaultPartitions)) else { continue }
                do throws(StorageError) {
                    _ = try store.createTopic(
                        name,
                        partitionCount: configuration.defaultPartitions,
                        overrides: [:]
                    )
                    logger.info("Created a topic on demand", metadata: ["topic": "\(name)"])
                } catch {
                    logger.error(
                        "Could not create a topic",
                        metadata: ["topic": "\(name)", "error": "\(error)"]
                    )
                }
            }
            responder.send(metadataResponse(wanted.map { lookUp($0) }))
        }
    }

    private func lookUp(_ wanted: MetadataRequest.Topic) -> MetadataResponse.Topic {
        if let name = wanted.name {
            if LogStore.problem(withName: name) != nil {
                return MetadataResponse.Topic(error: .invalidTopic, name: name)
            }
            return store.topic(name).map { describe($0) }
                ?? MetadataResponse.Topic(error: .unknownTopicOrPartition, name: name)
        }
        return store.topic(id: wanted.id).map { describe($0) }
            ?? MetadataResponse.Topic(error: .unknownTopicId, id: wanted.id)
    }

    private func describe(_ topic: Topic) -> MetadataResponse.Topic {
        MetadataResponse.Topic(
            name: topic.name,
            id: topic.id,
            partitions: topic.partitions.map { partition in
                MetadataResponse.Partition(
                    index: partition.index,
                    leaderId: LogStore.nodeId,
                    leaderEpoch: store.leaderEpoch,
                    replicas: [LogStore.nodeId],
                    inSyncReplicas: [LogStore.nodeId]
                )
            }
        )
    }

    private func metadataResponse(_ topics: [MetadataResponse.Topic]) -> MetadataResponse {
        MetadataResponse(
            brokers: [.init(nodeId: LogStore.nodeId, host: address.host, port: Int32(clamping: address.port))],
            clusterId: store.clusterId,
            controllerId: LogStore.nodeId,
            topics: topics
        )
    }

    func describeCluster(_ request: DescribeClusterRequest, _ responder: Responder) {
        guard request.endpointType == DescribeClusterRequest.brokers else {
            let message = "Only brokers can be described here."
            return responder.send(
                DescribeClusterResponse(
                    error: .unsupportedEndpointType,
                    errorMessage: message,
                    endpointType: request.endpointType
                )
            )
        }
        responder.send(
            DescribeClusterResponse(
                clusterId: store.clusterId,
                controllerId: LogStore.nodeId,
                brokers: [.init(nodeId: LogStore.nodeId, host: address.host, port: Int32(clamping: address.port))]
            )
        )
    }

    func findCoordinator(_ request: FindCoordinatorRequest, _ responder: Responder) {
        func coordinator(_ key: String) -> FindCoordinatorResponse.Coordinator {
            guard request.keyType == FindCoordinatorRequest.groupKeyType else {
                return .init(key: key, error: .invalidRequest, errorMessage: "Only groups have a coordinator here.")
            }
            return .init(key: key, nodeId: LogStore.nodeId, host: address.host, port: Int32(clamping: address.port))
        }
        responder.send(
            FindCoordinatorResponse(only: coordinator(request.key), coordinators: request.keys.map(coordinator))
        )
    }

    // MARK: Looking up offsets

    func listOffsets(_ request: ListOffsetsRequest, _ responder: Responder) {
        let readsFiles = request.topics.contains { topic in
            topic.partitions.contains {
                $0.timestamp != ListOffsetsRequest.latest && $0.timestamp != ListOffsetsRequest.earliest
            }
        }
        guard readsFiles else {
            return responder.send(listOffsetsResponse(request, version: responder.context.version))
        }
        readFiles(responder) { [self] in
            responder.send(listOffsetsResponse(request, version: responder.context.version))
        }
    }

    private func listOffsetsResponse(_ request: ListOffsetsRequest, version: Int16) -> ListOffsetsResponse {
        ListOffsetsResponse(
            topics: request.topics.map { topic in topic.map { offsetAnswer(topic.name, $0, version: version) } }
        )
    }

    private func offsetAnswer(
        _ topic: String,
        _ partition: ListOffsetsRequest.Partition,
        version: Int16
    ) -> ListOffsetsResponse.Partition {
        var answer = ListOffsetsResponse.Partition(index: partition.index)
        guard let log = store.partition(topic, partition.index) else {
            answer.error = .unknownTopicOrPartition
            return answer
        }
        answer.error = checkEpoch(partition.currentLeaderEpoch)
        guard answer.error == .none else { return answer }
        do throws(StorageError) {
            let found: RecordWalk.Record? =
                switch partition.timestamp {
                case ListOffsetsRequest.latest: .init(offset: log.bounds.highWatermark, timestamp: -1)
                case ListOffsetsRequest.earliest: .init(offset: log.bounds.logStart, timestamp: -1)
                case ListOffsetsRequest.maxTimestamp where version >= 7: try log.lookUpMaxTimestamp()
                default: try log.lookUp(timestamp: partition.timestamp)
                }
            if let found { (answer.offset, answer.timestamp) = (found.offset, found.timestamp) }
        } catch {
            logger.error("A lookup by time failed", metadata: ["error": "\(error)"])
            answer.error = .storageError
        }
        if answer.offset >= 0 { answer.leaderEpoch = store.leaderEpoch }
        if version == 0, answer.offset >= 0 { answer.oldStyleOffsets = [answer.offset] }
        return answer
    }

    func offsetForLeaderEpoch(_ request: OffsetForLeaderEpochRequest, _ responder: Responder) {
        typealias Answer = OffsetForLeaderEpochResponse.Partition
        func end(_ topic: String, _ wanted: OffsetForLeaderEpochRequest.Partition) -> Answer {
            var answer = Answer(index: wanted.index)
            guard let log = store.partition(topic, wanted.index) else {
                answer.error = .unknownTopicOrPartition
                return answer
            }
            answer.error = checkEpoch(wanted.currentLeaderEpoch)
            if answer.error == .none, let end = log.end(ofEpoch: wanted.leaderEpoch) {
                answer.leaderEpoch = end.epoch
                answer.endOffset = end.offset
            }
            return answer
        }
        let topics = request.topics.map { topic in topic.map { end(topic.name, $0) } }
        responder.send(OffsetForLeaderEpochResponse(topics: topics))
    }
}
