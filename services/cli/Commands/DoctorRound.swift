import Doctor
import Foundation
import HTTPKit
import StrictJSON
import Terminal

/// Asks everyone what ``DoctorRules`` want to know. Judges nothing.
struct DoctorRound {
    let session: Session
    let rules: DoctorRules
    /// The broker counts acknowledgements and consumers every ten seconds; two looks must be further apart.
    private static let betweenLooks: Duration = .seconds(11)
    /// The most orders of one status, payments and reservations that are looked at.
    private static let maximum = 100

    func evidence() async -> DoctorEvidence {
        var evidence = DoctorEvidence()
        for name in Session.services { evidence.services.append(await service(name, &evidence)) }
        await orders(&evidence)
        await payments(&evidence)
        await reservations(&evidence)
        await queues(&evidence)
        return evidence
    }

    private func service(_ name: String, _ evidence: inout DoctorEvidence) async -> DoctorEvidence.Service {
        var service = DoctorEvidence.Service(name)
        guard let url = try? session.url(of: name) else {
            service.health = .noAddress
            return service
        }
        switch await session.send("GET", url + "/health/ready", deadline: .seconds(3)) {
        case .failure(let failure):
            service.health = .silent(failure.code.rawValue)
            return service
        case .success(let reply) where !reply.isSuccess:
            let board = try? StrictJSON.parse(reply.body, limits: .answer)
            let reasons = (board?["dependencies"]?.arrayValue ?? []).filter { $0["ready"]?.boolValue == false }
            service.health = .notReady(reasons.map { "\($0["name"]?.shown ?? ""): \($0["reason"]?.shown ?? "")" })
        case .success: break
        }
        do {
            let outbox = try await session.operatorJSON("GET", name, "/operator/outbox/stats")
            service.outboxAgeMilliseconds = outbox["oldestUnpublishedAgeMs"]?.integerValue ?? 0
            service.outboxParked = outbox["parked"]?.integerValue ?? 0
            let letters = try await session.operatorJSON("GET", name, "/operator/dead-letters/stats")
            service.deadLetters = (letters["items"]?.arrayValue ?? []).filter { $0["state"]?.stringValue == "held" }
                .reduce(0) { $0 + ($1["count"]?.integerValue ?? 0) }
            let deadlines = try await session.operatorJSON(
                "GET",
                name,
                "/operator/deadlines/overdue?by=\(rules.deadlineSeconds)&limit=1000"
            )
            service.deadlines = (deadlines["items"]?.arrayValue ?? []).map { item in
                DoctorEvidence.Deadline(
                    name: item["name"]?.shown ?? "",
                    subject: item["subject"]?.shown ?? "",
                    overdueSeconds: (item["overdueMs"]?.integerValue ?? 0) / 1000,
                    error: item["lastError"]?.stringValue ?? ""
                )
            }
        } catch {
            evidence.unknown.append("\(name): \(error.sentence)")
        }
        if case .success(let reply) = await session.send("GET", url + "/metrics"), reply.isSuccess {
            service.metrics = String(decoding: reply.body, as: UTF8.self).split(separator: "\n")
                .compactMap(DoctorEvidence.Metric.init(line:))
        } else {
            evidence.unknown.append("\(name): its metrics cannot be read")
        }
        return service
    }

    private func orders(_ evidence: inout DoctorEvidence) async {
        guard let url = try? session.url(of: "order") else { return }
        for status in ["needsOperator", "awaitingStock", "awaitingPayment", "confirming", "cancelling"] {
            do {
                // Newest first: the last page holds those that matter most.
                var cursor: String?
                repeat {
                    var path = "/v1/orders?status=\(status)&limit=\(Self.maximum)"
                    if let cursor { path += "&cursor=" + escaped(cursor) }
                    let page = try await session.json("GET", url + path)
                    evidence.orders += (page["orders"]?.arrayValue ?? []).map { order in
                        DoctorEvidence.Order(
                            id: order["id"]?.shown ?? "",
                            status: status,
                            unchangedSeconds: Self.secondsSince(order["updatedAt"]?.stringValue)
                        )
                    }
                    cursor = page["next"]?.stringValue
                } while cursor != nil && evidence.orders.count < 10_000
            } catch {
                return evidence.unknown.append("orders: \(error.sentence)")
            }
        }
    }

    private func payments(_ evidence: inout DoctorEvidence) async {
        do {
            let page = try await session.operatorJSON(
                "GET",
                "payment",
                "/operator/intents/open?limit=\(Self.maximum)"
            )
            evidence.payments = (page["intents"]?.arrayValue ?? []).map { intent in
                DoctorEvidence.Payment(
                    orderID: intent["orderID"]?.shown ?? "",
                    kind: intent["kind"]?.shown ?? "",
                    state: intent["state"]?.shown ?? "",
                    openSeconds: (intent["openMs"]?.integerValue ?? 0) / 1000
                )
            }
        } catch {
            evidence.unknown.append("payments: \(error.sentence)")
        }
    }

    private func reservations(_ evidence: inout DoctorEvidence) async {
        do {
            let url = try session.url(of: "order")
            let page = try await session.operatorJSON(
                "GET",
                "inventory",
                "/operator/reservations/held?limit=\(Self.maximum)"
            )
            for item in page["items"]?.arrayValue ?? [] {
                let seconds = (item["heldMs"]?.integerValue ?? 0) / 1000
                guard seconds > rules.reservationSeconds else { continue }
                let id = item["orderID"]?.shown ?? ""
                let status: String?
                do {
                    status = try await session.json("GET", url + "/v1/orders/" + escaped(id))["status"]?.shown ?? ""
                } catch  where error.code == 1 {
                    status = nil
                }
                evidence.reservations.append(
                    DoctorEvidence.Reservation(orderID: id, heldSeconds: seconds, orderStatus: status)
                )
            }
        } catch {
            evidence.unknown.append("reservations: \(error.sentence)")
        }
    }

    private func queues(_ evidence: inout DoctorEvidence) async {
        guard let first = await BrokerQueues.all(session) else {
            return evidence.unknown.append("queues: RabbitMQ's management cannot be asked")
        }
        // Retry queues have no consumer: their messages leave by themselves.
        let consumed = first.filter { !$0.name.contains(".retry.") }
        var second: [BrokerQueues.Queue] = []
        // What the broker shows can be ten seconds old: whoever looks idle or alone is looked at twice.
        if consumed.contains(where: { $0.messages > 0 || $0.consumers == 0 }) {
            try? await Task.sleep(for: Self.betweenLooks)
            second = await BrokerQueues.all(session) ?? []
        }
        evidence.queues = consumed.map { queue in
            let later = second.first { $0.name == queue.name }
            return DoctorEvidence.Queue(
                name: queue.name,
                consumers: max(queue.consumers, later?.consumers ?? 0),
                messages: later?.messages ?? queue.messages,
                isStill: later.map { $0.messages > 0 && queue.messages > 0 && $0.acknowledged == queue.acknowledged }
                    ?? false
            )
        }
    }

    private static func secondsSince(_ text: String?) -> Int64 {
        guard let text,
            let time = try? Date(
                text,
                strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true)
            )
        else { return 0 }
        return Int64(max(0, Date().timeIntervalSince(time)))
    }
}
