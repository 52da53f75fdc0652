import Logging
import NIOCore
import Synchronization
import Telemetry

extension Broker {
    /// Collects the outcomes of a produce request's partitions.
    private final class Collector: Sendable {
        private struct State {
            var response: ProduceResponse
            var missing: Int
            var mustClose = false
        }

        private let state: Mutex<State>

        private let acks: Int16
        private let responder: Responder<ProduceResponse>

        init(_ request: ProduceRequest, _ responder: Responder<ProduceResponse>) {
            let topics = request.topics.map { topic in topic.map { ProduceResponse.Partition(index: $0.index) } }
            let count = request.topics.reduce(0) { $0 + $1.partitions.count }
            // One more, so that nothing is sent before every partition was looked at.
            state = Mutex(State(response: ProduceResponse(topics: topics), missing: count + 1))
            acks = request.acks
            self.responder = responder
        }

        /// Notes an outcome; the last call answers the request.
        func note(close: Bool = false, _ change: (inout ProduceResponse) -> Void = { _ in }) {
            let finished = state.withLock { state -> (ProduceResponse, Bool)? in
                change(&state.response)
                state.missing -= 1
                state.mustClose = state.mustClose || close
                return state.missing == 0 ? (state.response, state.mustClose) : nil
            }
            guard let (response, mustClose) = finished else { return }
            if mustClose { return responder.close() }
            guard acks == 0 else { return responder.send(response) }
            // Without acknowledgements, closing is the only way to tell of an error.
            let failed = response.topics.contains { $0.partitions.contains { $0.error != .none } }
            if failed { responder.close() } else { responder.sendNothing() }
        }
    }

    func produce(_ request: ProduceRequest, _ responder: Responder<ProduceResponse>) {
        let collector = Collector(request, responder)
        for (place, topic) in request.topics.enumerated() {
            for (index, partition) in topic.partitions.enumerated() {
                @Sendable func refuse(_ code: ErrorCode, _ message: String? = nil) {
                    metrics.refusedBatches.increment(by: 1)
                    collector.note { response in
                        response.topics[place].partitions[index].error = code
                        response.topics[place].partitions[index].errorMessage = message
                    }
                }
                do throws(Refusal) {
                    let (log, records) = try admit(partition, of: topic.name, in: request, responder.context)
                    let header = try BatchCheck.produced(records, maxBytes: log.settings.maxMessageBytes)
                    log.append(records, header: header) { [log] outcome in
                        switch outcome {
                        case .refused(let code): refuse(code)
                        case .lost: collector.note(close: true)
                        case .appended(let baseOffset, let appendTime):
                            let start = log.bounds.logStart
                            collector.note { response in
                                response.topics[place].partitions[index].baseOffset = baseOffset
                                response.topics[place].partitions[index].logAppendTimeMs = appendTime
                                response.topics[place].partitions[index].logStartOffset = start
                            }
                        }
                    }
                } catch {
                    refuse(error.code, error.reason)
                }
            }
        }
        collector.note()
    }

    /// What can be said of a batch without looking into it.
    private func admit(
        _ partition: ProduceRequest.Partition,
        of topic: String,
        in request: ProduceRequest,
        _ context: RequestContext
    ) throws(Refusal) -> (PartitionLog, ByteBuffer) {
        guard context.row.served.contains(context.version) else { throw Refusal(.unsupportedVersion) }
        guard (-1...1).contains(request.acks) else { throw Refusal(.invalidRequiredAcks) }
        if request.transactionalId != nil { throw Refusal(.invalidRequest, "transactions are not supported") }
        guard let log = store.partition(topic, partition.index) else { throw Refusal(.unknownTopicOrPartition) }
        guard let records = partition.records else { throw Refusal(.invalidRecord, "there are no records") }
        return (log, records)
    }

    func initProducerId(_ request: InitProducerIdRequest, _ responder: Responder<InitProducerIdResponse>) {
        guard request.transactionalId == nil else { return responder.send(.init(error: .invalidRequest)) }
        // A producer that comes with an id (KIP-360) gets a new one too: ids cost nothing and never repeat.
        if let id = store.takeProducerId() { return responder.send(.init(producerId: id)) }
        run(on: environment.administration, responder) { [self] in
            do throws(StorageError) {
                responder.send(.init(producerId: try store.reserveProducerId()))
            } catch {
                logger.error("Could not reserve producer ids", metadata: ["error": "\(error)"])
                responder.send(.init(error: .coordinatorNotAvailable))
            }
        }
    }
}
