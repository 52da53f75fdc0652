import Logging
import NIOCore

extension Broker {
    func metadata(_ request: MetadataRequest, _ responder: Responder<MetadataResponse>) {
        guard let wanted = request.topics, !wanted.isEmpty || responder.context.version > 0 else {
            return responder.send(metadataResponse(store.topics.map { describe($0) }))
        }
        let missing = wanted.compactMap(\.name).filter {
            store.topic($0) == nil && LogStore.problem(withName: $0) == nil
        }
        guard configuration.autoCreateTopics, request.allowAutoTopicCreation, !missing.isEmpty else {
            return responder.send(metadataResponse(wanted.map { lookUp($0) }))
        }
        run(on: environment.administration, responder) { [self] in
            for name in missing { createOnDemand(name) }
            responder.send(metadataResponse(wanted.map { lookUp($0) }))
        }
    }

    private func createOnDemand(_ name: String) {
        let count = configuration.defaultPartitions
        guard store.topic(name) == nil, !store.exceedsLimit(adding: Int(count)) else { return }
        do throws(StorageError) {
            _ = try store.createTopic(name, partitionCount: count, overrides: [:])
            logger.info("Created a topic on demand", metadata: ["topic": "\(name)"])
        } catch {
            logger.error("Could not create a topic", metadata: ["topic": "\(name)", "error": "\(error)"])
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

    func describeCluster(_ request: DescribeClusterRequest, _ context: RequestContext) -> DescribeClusterResponse {
        guard request.endpointType == DescribeClusterRequest.brokers else {
            let message = "Only brokers can be described here."
            return .init(error: .unsupportedEndpointType, errorMessage: message, endpointType: request.endpointType)
        }
        return DescribeClusterResponse(
            clusterId: store.clusterId,
            controllerId: LogStore.nodeId,
            brokers: [.init(nodeId: LogStore.nodeId, host: address.host, port: Int32(clamping: address.port))]
        )
    }

    func findCoordinator(_ request: FindCoordinatorRequest, _ context: RequestContext) -> FindCoordinatorResponse {
        func coordinator(_ key: String) -> FindCoordinatorResponse.Coordinator {
            guard request.keyType == FindCoordinatorRequest.groupKeyType else {
                return .init(key: key, error: .invalidRequest, errorMessage: "Only groups have a coordinator here.")
            }
            return .init(key: key, nodeId: LogStore.nodeId, host: address.host, port: Int32(clamping: address.port))
        }
        return .init(only: coordinator(request.key), coordinators: request.keys.map(coordinator))
    }

    // MARK: Looking up offsets

    func listOffsets(_ request: ListOffsetsRequest, _ responder: Responder<ListOffsetsResponse>) {
        let answer: @Sendable () -> Void = { [self] in
            let version = responder.context.version
            let topics = request.topics.map { topic in topic.map { offsetAnswer(topic.name, $0, version: version) } }
            responder.send(.init(topics: topics))
        }
        let ends = [ListOffsetsRequest.latest, ListOffsetsRequest.earliest]
        let readsFiles = request.topics.contains { $0.partitions.contains { !ends.contains($0.timestamp) } }
        if readsFiles { run(on: environment.readers, responder, answer) } else { answer() }
    }

    /// The partition, for a client whose idea of the leader epoch is right.
    private func log(_ topic: String, _ index: Int32, epoch: Int32) throws(Refusal) -> PartitionLog {
        guard let log = store.partition(topic, index) else { throw Refusal(.unknownTopicOrPartition) }
        let error = checkEpoch(epoch)
        guard error == .none else { throw Refusal(error) }
        return log
    }

    private func offsetAnswer(
        _ topic: String,
        _ partition: ListOffsetsRequest.Partition,
        version: Int16
    ) -> ListOffsetsResponse.Partition {
        var answer = ListOffsetsResponse.Partition(index: partition.index)
        do {
            let log = try log(topic, partition.index, epoch: partition.currentLeaderEpoch)
            let found: RecordWalk.Record? =
                switch partition.timestamp {
                case ListOffsetsRequest.latest: .init(offset: log.bounds.highWatermark, timestamp: -1)
                case ListOffsetsRequest.earliest: .init(offset: log.bounds.logStart, timestamp: -1)
                case ListOffsetsRequest.maxTimestamp where version >= 7: try log.lookUpMaxTimestamp()
                default: try log.lookUp(timestamp: partition.timestamp)
                }
            if let found { (answer.offset, answer.timestamp) = (found.offset, found.timestamp) }
        } catch let refusal as Refusal {
            answer.error = refusal.code
        } catch {
            logger.error("A lookup by time failed", metadata: ["error": "\(error)"])
            answer.error = .storageError
        }
        if answer.offset >= 0 { answer.leaderEpoch = store.leaderEpoch }
        if version == 0, answer.offset >= 0 { answer.oldStyleOffsets = [answer.offset] }
        return answer
    }

    func offsetForLeaderEpoch(
        _ request: OffsetForLeaderEpochRequest,
        _ context: RequestContext
    ) -> OffsetForLeaderEpochResponse {
        let topics = request.topics.map { topic in
            topic.map { wanted in
                var answer = OffsetForLeaderEpochResponse.Partition(index: wanted.index)
                do throws(Refusal) {
                    let log = try log(topic.name, wanted.index, epoch: wanted.currentLeaderEpoch)
                    guard let end = log.end(ofEpoch: wanted.leaderEpoch) else { return answer }
                    (answer.leaderEpoch, answer.endOffset) = (end.epoch, end.offset)
                } catch {
                    answer.error = error.code
                }
                return answer
            }
        }
        return OffsetForLeaderEpochResponse(topics: topics)
    }
}
