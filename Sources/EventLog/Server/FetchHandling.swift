import Logging
import NIOCore
import Telemetry

extension Broker {
    func fetch(_ request: FetchRequest, _ responder: Responder<FetchResponse>) -> any RunningRequest {
        let operation = FetchOperation(request, broker: self, responder: responder)
        operation.evaluate()
        return operation
    }
}

/// One fetch: waits until enough is durable or its time is up, then reads.
///
/// Starts and waits on its connection's event loop; waking comes from flush threads, reading is done on reader threads.
/// Each step hands over to the next, so there is never more than one under way.
private final class FetchOperation: RunningRequest, Sendable {
    private struct Target: Sendable {
        let topic: Int
        let place: Int
        let log: PartitionLog?
        let wanted: FetchRequest.Partition
        var maxBytes: Int { max(0, Int(wanted.maxBytes)) }
    }

    private typealias Ready = (target: Target, plan: PartitionLog.ReadPlan)

    /// Touched on the event loop only.
    private struct State {
        /// While the fetch waits.
        var parked: (timer: Scheduled<Void>, waiter: FetchWaiter)?
        var isOver = false
    }

    private let broker: Broker
    private let responder: Responder<FetchResponse>
    private let eventLoop: any EventLoop
    private let minBytes: Int
    private let maxBytes: Int
    private let deadline: NIODeadline
    private let mayWait: Bool
    private let targets: [Target]
    private let emptyResponse: FetchResponse
    private let state: NIOLoopBoundBox<State>

    init(_ request: FetchRequest, broker: Broker, responder: Responder<FetchResponse>) {
        self.broker = broker
        self.responder = responder
        eventLoop = responder.context.eventLoop
        state = NIOLoopBoundBox(State(), eventLoop: eventLoop)
        minBytes = Int(request.minBytes)
        maxBytes = min(max(0, Int(request.maxBytes)), broker.configuration.maxFetchResponseBytes)
        let wait = min(max(0, Int64(request.maxWaitMs)), 3_600_000)
        deadline = .now() + .milliseconds(wait)
        mayWait = wait > 0
        var targets: [Target] = []
        var response = FetchResponse()
        for (place, topic) in request.topics.enumerated() {
            let logs = broker.store.topic(topic.name)?.partitions ?? []
            for (index, partition) in topic.partitions.enumerated() {
                let known = partition.index >= 0 && Int(partition.index) < logs.count
                let log = known ? logs[Int(partition.index)] : nil
                targets.append(Target(topic: place, place: index, log: log, wanted: partition))
            }
            let aborted: [FetchResponse.AbortedTransaction]? = request.isolationLevel == 1 ? [] : nil
            let answer = topic.map {
                FetchResponse.Partition(index: $0.index, abortedTransactions: aborted, records: ByteBuffer())
            }
            response.topics.append(answer)
        }
        self.targets = targets
        emptyResponse = response
    }

    /// A parked fetch that nobody wakes any more still has to give back what its request holds.
    func cancel() {
        state.value.isOver = true
        guard let waiter = state.value.parked?.waiter else { return }
        waiter.end()
        unpark()
        responder.sendNothing()
    }

    /// Looks at every partition once; answers, or waits for one of them to move.
    func evaluate() {
        let waiter = FetchWaiter { [self] in
            eventLoop.execute { self.wake() }
        }
        let isLate = !mayWait || NIODeadline.now() >= deadline
        var response = emptyResponse
        var ready: [Ready] = []
        var available = 0
        var mustAnswer = false
        for target in targets {
            func set(_ change: (inout FetchResponse.Partition) -> Void) {
                change(&response.topics[target.topic].partitions[target.place])
            }
            // An error or a divergence is told at once.
            func tell(_ change: (inout FetchResponse.Partition) -> Void) {
                mustAnswer = true
                set(change)
            }
            guard let log = target.log else {
                tell { $0.error = .unknownTopicOrPartition }
                continue
            }
            let epochError = broker.checkEpoch(target.wanted.currentLeaderEpoch)
            guard epochError == .none else {
                tell { $0.error = epochError }
                continue
            }
            let (offset, lastEpoch) = (target.wanted.fetchOffset, target.wanted.lastFetchedEpoch)
            if lastEpoch >= 0 {
                let end = log.end(ofEpoch: lastEpoch)
                guard let known = end, known.epoch >= lastEpoch, known.offset >= offset else {
                    tell {
                        $0.error = end == nil ? .offsetOutOfRange : .none
                        $0.divergingEpoch = end.map { .init(epoch: $0.epoch, endOffset: $0.offset) }
                    }
                    continue
                }
            }
            let (found, bounds) = log.fetchState(at: offset, waiter: isLate ? nil : waiter)
            set {
                $0.highWatermark = bounds.highWatermark
                $0.lastStableOffset = bounds.highWatermark
                $0.logStartOffset = bounds.logStart
            }
            switch found {
            case .outOfRange: tell { $0.error = .offsetOutOfRange }
            case .offline:
                // Deleted, or in doubt.
                let name = response.topics[target.topic].name
                let isCurrent = broker.store.partition(name, log.index) === log
                tell { $0.error = isCurrent ? .storageError : .unknownTopicOrPartition }
            case .atEnd: break
            case .ready(let plan):
                ready.append((target, plan))
                available += min(plan.available, target.maxBytes)
            }
        }
        if isLate || mustAnswer || targets.isEmpty || available >= minBytes {
            waiter.end()
            read(ready, available: available, response)
        } else {
            park(waiter)
        }
    }

    private func park(_ waiter: FetchWaiter) {
        let timer = eventLoop.scheduleTask(deadline: deadline) { [self] in
            if waiter.end() { wake() }
        }
        state.value.parked = (timer, waiter)
        broker.metrics.parkedFetches.increment(by: 1)
    }

    private func unpark() {
        state.value.parked?.timer.cancel()
        state.value.parked = nil
        broker.metrics.parkedFetches.decrement(by: 1)
    }

    /// Once per parking.
    private func wake() {
        guard !state.value.isOver else { return }
        unpark()
        evaluate()
    }

    private func read(_ ready: [Ready], available: Int, _ response: FetchResponse) {
        guard !ready.isEmpty else { return responder.send(response) }
        let planned = max(1, min(maxBytes, available))
        let go: @Sendable () -> Void = { [self] in
            broker.run(on: broker.environment.readers, responder) { self.readFiles(ready, planned: planned, response) }
        }
        if broker.fetchBudget.take(planned, grant: go) { go() }
    }

    private func readFiles(_ ready: [Ready], planned: Int, _ response: FetchResponse) {
        var response = response
        var used = 0
        for item in ready {
            let room = min(maxBytes - used, item.target.maxBytes)
            guard let log = item.target.log, used == 0 || room > 0 else { continue }
            var records = ByteBuffer()
            var error = ErrorCode.none
            do throws(StorageError) {
                // The first partition with records gives at least one batch, however small the limits (KIP-74).
                records = try log.read(item.plan, maxBytes: room, atLeastOne: used == 0)
            } catch let failure {
                broker.logger.error("A read failed", metadata: ["error": "\(failure)"])
                error = .storageError
            }
            used += records.readableBytes
            response.topics[item.target.topic].partitions[item.target.place].records = records
            response.topics[item.target.topic].partitions[item.target.place].error = error
        }
        broker.metrics.fetchedBytes.increment(by: used)
        responder.send(response) { [broker] in broker.fetchBudget.giveBack(planned) }
    }
}
