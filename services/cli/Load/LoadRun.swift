import Commerce
import Foundation
import HTTPKit
import Kafka
import Messaging
import StrictJSON
import Terminal
import Verification

/// Offers orders in an open loop and follows them to their end.
struct LoadRun: Sendable {
    let session: Session
    let url: String
    let plan: LoadPlan
    let recorder: LoadRecorder
    let kafka: KafkaClientConfiguration
    /// Every so many accepted orders one is sent again and read; 0 for none.
    let recheck: Int
    /// The longest wait for open orders after the last placement.
    let drainLimit: Duration

    /// The most placements whose answer is awaited at one time; beyond it arrivals are late, which the latencies show.
    static let maximumInFlight = 2000
    /// A placement whose answer is unknown is sent again, with the same key, until this long after it was due.
    private static let retryLimit: Duration = .seconds(60)

    /// - Returns: how long placements were offered.
    func run(bar: ProgressBar) async throws -> Duration {
        // Known before the first placement: an order that ends at once must not end unseen.
        let start = try await endOfTopic()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await follow(from: start) }
            group.addTask { await show(bar) }
            let began = ContinuousClock.now
            await offer(from: began)
            let offered = ContinuousClock.now - began
            let limit = ContinuousClock.now + drainLimit
            while recorder.snapshot.open > 0, ContinuousClock.now < limit {
                try await Task.sleep(for: .milliseconds(50))
            }
            group.cancelAll()
            bar.clear()
            return offered
        }
    }

    private func offer(from start: ContinuousClock.Instant) async {
        await withTaskGroup(of: Void.self) { group in
            var inFlight = 0
            for index in 0..<plan.orders {
                let due = start + plan.offset(of: index)
                if due > .now { try? await Task.sleep(until: due, clock: .continuous) }
                if Task.isCancelled { return }
                if inFlight >= Self.maximumInFlight {
                    await group.next()
                    inFlight -= 1
                }
                recorder.offered()
                inFlight += 1
                group.addTask { await place(index, due: due) }
            }
        }
    }

    private func place(_ index: Int, due: ContinuousClock.Instant) async {
        let key = plan.key(of: index)
        let body = plan.body(of: index)
        var attempts = PlacementAttempts()
        var pause: Duration = .milliseconds(100)
        while true {
            let result = await post(key, body)
            switch (attempts.conclude(from: PlacementAttempts.Ending(result)), result) {
            case (.placed, .success(let reply)):
                let latency = ContinuousClock.now - due
                let (order, answer) = told(reply)
                recorder.accepted(key, order: order, answer: answer, due: due, latency: latency)
                if recheck > 0, index % recheck == 0 { await askAgain(key, body, order) }
                return
            case (.refused, .success(let reply)): return recorder.refused(key, status: reply.status)
            default: break
            }
            guard ContinuousClock.now - due < Self.retryLimit, !Task.isCancelled else {
                return recorder.unknown(key, reason(of: result))
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(2))
        }
    }

    private func post(_ key: String, _ body: [UInt8]) async -> Result<HTTPReply, HTTPFailure> {
        await session.send(
            "POST",
            url + "/v1/orders",
            headers: [("idempotency-key", key)],
            body: body,
            deadline: .seconds(5)
        )
    }

    private func reason(of result: Result<HTTPReply, HTTPFailure>) -> String {
        switch result {
        case .success(let reply): "status \(reply.status)"
        case .failure(let failure): failure.code.rawValue
        }
    }

    /// Sends an accepted order again under its key and reads it: the answer must be the first one, and the order there.
    private func askAgain(_ key: String, _ body: [UInt8], _ order: String) async {
        if case .success(let reply) = await post(key, body), reply.status == 202 {
            let (order, answer) = told(reply)
            recorder.acknowledged(key, order: order, answer: answer)
        }
        if case .success(let reply) = await session.send("GET", url + "/v1/orders/" + order, deadline: .seconds(5)) {
            recorder.wasRead(key, status: reply.status)
        }
    }

    /// The order that an acknowledgement names, and a digest of all that it says.
    private func told(_ reply: HTTPReply) -> (order: String, answer: String) {
        let order = (try? StrictJSON.parse(reply.body, limits: .answer))?["id"]?.stringValue ?? ""
        return (order, ContentDigest.text(of: reply.body))
    }

    /// Ends are read from the event log: one reader sees them all, at the moment at which anyone could.
    private func follow(from start: [KafkaTopicPartition: Int64]) async throws {
        let reader = KafkaTopicReader(
            configuration: kafka,
            topics: [Channels.ordersTopic],
            start: .offsets(start),
            mode: .follow,
            logger: EventLogAccess.logger
        )
        do {
            for try await record in reader {
                guard let envelope = try? ReceivedMessage(recordHeaders: record).envelope.get(),
                    let status = OrderStatus.allCases.first(where: { OrderEvent.messageType(for: $0) == envelope.type }
                    ),
                    status.isTerminal
                else { continue }
                recorder.ended(envelope.subject, status: status.rawValue, at: .now)
            }
        } catch is CancellationError {
            // The run is over.
        }
    }

    private func endOfTopic() async throws -> [KafkaTopicPartition: Int64] {
        do {
            return try await withKafkaAdmin(configuration: kafka, logger: EventLogAccess.logger) { admin in
                let partitions = try await admin.topic(Channels.ordersTopic)?.partitions ?? []
                let marks = try await admin.watermarks(
                    partitions.map { KafkaTopicPartition(topic: Channels.ordersTopic, partition: $0) }
                )
                return marks.mapValues(\.high)
            }
        } catch let error as KafkaError {
            throw CommandEnd.failed("The event log cannot be asked where it ends: \(error.sentence)")
        }
    }

    private func show(_ bar: ProgressBar) async {
        while !Task.isCancelled {
            let numbers = recorder.snapshot
            bar.show(
                Int64(numbers.offered),
                of: Int64(plan.orders),
                note: "\(numbers.accepted) accepted, \(numbers.ended["completed"] ?? 0) completed, \(numbers.open) open"
            )
            try? await Task.sleep(for: .milliseconds(100))
        }
    }
}

extension PlacementAttempts.Ending {
    fileprivate init(_ result: Result<HTTPReply, HTTPFailure>) {
        self =
            switch result {
            case .success(let reply): .answered(reply.status)
            case .failure(let failure): failure.wasNotSent ? .notSent : .unanswered
            }
    }
}
