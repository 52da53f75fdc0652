import Logging
import NIOCore
import Synchronization
import Telemetry

extension Broker {
    func fetch(
        _ request: FetchRequest,
        _ responder: Responder,
        eventLoop: any EventLoop
    ) -> (any RunningRequest)? {
        let operation = FetchOperation(request, broker: self, responder: responder, eventLoop: eventLoop)
        operation.start()
        return operation
    }
}

/// One fetch: waits until enough is durable or its time is up, then reads.
///
/// Starts and waits on its connection's event loop; waking comes from flush threads, reading is done on reader threads.
/// Each step hands over to the next, so there is never more than one under way; the flag and the timer are behind a lock.
private final class FetchOperation: RunningRequest, Sendable {
    private struct Target: Sendable {
        let topic: Int
        let place: Int
        let log: PartitionLog?
        let wanted: FetchRequest.Partition
        var maxBytes: Int { max(0, Int(wanted.maxBytes)) }
    }

    private struct Ready: Sendable {
        let target: Target
        let plan: PartitionLog.ReadPlan
    }

    private struct State {
        var timer: Scheduled<Void>?
        var waiter: FetchWaiter?
        var isOver = false
    }

    private let broker: Broker
    private let responder: Responder
    private let eventLoop: any EventLoop
    private let minBytes: Int
    private let maxBytes: Int
    private let deadline: NIODeadline
    private let mayWait: Bool
    private let targets: [Target]
    private let emptyResponse: FetchResponse
    private let state = Mutex(State())

    init(_ request: FetchRequest, broker: Broker, responder: Responder, eventLoop: any EventLoop) {
        self.broker = broker
        self.responder = responder
        self.eventLoop = eventLoop
        minBytes = Int(request.minBytes)
        maxBytes = min(max(0, Int(request.maxBytes)), broker.configuration.maxFetchResponseBytes)
        let wait = min(max(0, Int64(request.maxWaitMs)), 3_600_000)
        deadline = .now() + .milliseconds(wait)
        mayWait = wait > 0
        var targets: [Target] = []
        var response = FetchResponse()
        for (place, topic) in request.topics.enumerated() {
            let logs = broker.store.topic(topic.name)?.partitions ?? []
            var answer = ByTopic<FetchResponse.Partition>(name: topic.name)
            answer.partitions.reserveCapacity(topic.partitions.count)
            for (index, partition) in topic.partitions.enumerated() {
                let known = partition.index >= 0 && Int(partition.index) < logs.count
                let log = known ? logs[Int(partition.index)] : nil
                targets.append(Target(topic: place, place: index, log: log, wanted: partition))
                answer.partitions.append(
                    .init(
                        index: partition.index,
                        abortedTransactions: request.isolationLevel == 1 ? [] : nil,
                        records: ByteBuffer()
                    )
                )
            }
            response.topics.append(answer)
        }
        self.targets = targets
        emptyResponse = response
    }

    func start() { evaluate() }

    func cancel() {
        let ended = state.withLock { state -> State in
            defer {
                state.isOver = true
                state.timer = nil
                state.waiter = nil
            }
            return state
        }
        ended.timer?.cancel()
        if let waiter = ended.waiter {
            waiter.end()
            // A parked fetch that nobody wakes any more still has to give back what its request holds.
            if !ended.isOver {
                broker.metrics.parkedFetches.decrement(by: 1)
                responder.sendNothing()
            }
        }
    }

    /// Looks at every partition once; answers, or waits for one of them to move.
    private func evaluate() {
        let waiter = FetchWaiter { [self] in
            eventLoop.execute { self.wake() }
        }
        let isLate = !mayWait || NIODeadline.now() >= deadline
        var response = emptyResponse
        var ready: [Ready] = []
        var available = 0
        // An error or a divergence is told at once.
        var mustAnswer = false
        for target in targets {
            func set(_ change: (inout FetchResponse.Partition) -> Void) {
                change(&response.topics[target.topic].partitions[target.place])
            }
            guard let log = target.log else {
                mustAnswer = true
                set { $0.error = .unknownTopicOrPartition }
                continue
            }
            let epochError = broker.checkEpoch(target.wanted.currentLeaderEpoch)
            guard epochError == .none else {
                mustAnswer = true
                set { $0.error = epochError }
                continue
            }
            if target.wanted.lastFetchedEpoch >= 0 {
                let end = log.end(ofEpoch: target.wanted.lastFetchedEpoch)
                if end.map({ $0.epoch < target.wanted.lastFetchedEpoch || $0.offset < target.wanted.fetchOffset })
                    ?? true
                {
                    mustAnswer = true
                    set {
                        $0.error = end == nil ? .offsetOutOfRange : .none
                        $0.divergingEpoch = end.map { .init(epoch: $0.epoch, endOffset: $0.offset) }
                    }
                    continue
                }
            }
            let (found, bounds) = log.fetchState(at: target.wanted.fetchOffset, waiter: isLate ? nil : waiter)
            set {
                $0.highWatermark = bounds.highWatermark
                $0.lastStableOffset = bounds.highWatermark
                $0.logStartOffset = bounds.logStart
            }
            switch found {
            case .outOfRange:
                mustAnswer = true
                set { $0.error = .offsetOutOfRange }
            case .offline:
                mustAnswer = true
                // Deleted, or in doubt.
                let name = response.topics[target.topic].name
                let isCurrent = broker.store.partition(name, log.index) === log
                set { $0.error = isCurrent ? .storageError : .unknownTopicOrPartition }
            case .atEnd: break
            case .ready(let plan):
                ready.append(Ready(target: target, plan: plan))
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
        let isOver = state.withLock { state -> Bool in
            state.timer = timer
            state.waiter = waiter
            return state.isOver
        }
        broker.metrics.parkedFetches.increment(by: 1)
        if isOver { timer.cancel() }
    }

    /// On the event loop, once per parking.
    private func wake() {
        let ended = state.withLock { state -> State in
            defer {
                state.timer = nil
                state.waiter = nil
            }
            return state
        }
        guard !ended.isOver else { return }
        ended.timer?.cancel()
        broker.metrics.parkedFetches.decrement(by: 1)
        evaluate()
    }

    private func read(_ ready: [Ready], available: Int, _ response: FetchResponse) {
        guard !ready.isEmpty else { return responder.send(response) }
        let planned = max(1, min(maxBytes, available))
        let go: @Sendable () -> Void = { [self] in
            broker.readFiles(responder) { self.readFiles(ready, planned: planned, response) }
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
