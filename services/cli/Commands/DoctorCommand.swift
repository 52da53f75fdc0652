import ArgumentParser
import Foundation
import HTTPKit
import StrictJSON

/// `waybill doctor`
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Find what is stuck, and say what to do about it.",
        discussion: """
            Example: waybill doctor

            Exit codes: 0 nothing found, 1 something needs attention, 2 it could not be carried out.
            """
    )
    @OptionGroup var common: CommonOptions

    /// One finding.
    private struct Finding {
        let service: String
        let what: String
        let advice: String
    }

    /// Bounds beyond which something counts as stuck.
    private enum Bound {
        static let outboxAgeMilliseconds: Int64 = 10_000
        static let consumerLag = 10_000.0
        static let openOrderSeconds: TimeInterval = 180
    }

    func run() async throws {
        let session = Session()
        var findings: [Finding] = []
        for service in Session.services { findings += await examine(service, session) }
        findings += try await openOrders(session)
        await session.close()
        if common.json {
            for finding in findings {
                JSONOutput.print(
                    .object([
                        "service": .string(finding.service), "finding": .string(finding.what),
                        "advice": .string(finding.advice),
                    ])
                )
            }
        } else if findings.isEmpty {
            Console.print(Console.colored("Nothing is stuck.", .good))
        } else {
            var table = Table([.text("SERVICE"), .text("FOUND"), .text("WHAT TO DO")])
            for finding in findings {
                table.add([.init(finding.service), .init(finding.what, .bad), .init(finding.advice)])
            }
            table.print()
        }
        if !findings.isEmpty { throw CommandEnd.no() }
    }

    private func examine(_ service: String, _ session: Session) async -> [Finding] {
        guard let url = try? session.url(of: service) else {
            return [Finding(service: service, what: "no address", advice: "start Waybill with scripts/up.sh")]
        }
        var findings: [Finding] = []
        switch await session.send("GET", url + "/health/ready", deadline: .seconds(3)) {
        case .failure(let failure):
            return [
                Finding(
                    service: service,
                    what: "does not answer (\(failure.code.rawValue))",
                    advice: "scripts/status.sh, then its log"
                )
            ]
        case .success(let reply) where !reply.isSuccess:
            let board = try? StrictJSON.parse(reply.body, limits: .answer)
            for entry in board?["dependencies"]?.arrayValue ?? [] where entry["ready"]?.boolValue == false {
                findings.append(
                    Finding(
                        service: service,
                        what: "\(entry["name"]?.shown ?? ""): \(entry["reason"]?.shown ?? "")",
                        advice: "it is waited for; scripts/status.sh tells whether it is up"
                    )
                )
            }
            if findings.isEmpty {
                findings.append(Finding(service: service, what: "not ready", advice: "look into its log"))
            }
        case .success:
            break
        }
        findings += await backlog(service, session)
        findings += await metrics(service, url, session)
        return findings
    }

    private func backlog(_ service: String, _ session: Session) async -> [Finding] {
        var findings: [Finding] = []
        if let stats = try? await session.operatorJSON("GET", service, "/operator/outbox/stats") {
            let age = stats["oldestUnpublishedAgeMs"]?.integerValue ?? 0
            if age > Bound.outboxAgeMilliseconds {
                findings.append(
                    Finding(
                        service: service,
                        what: "a message waits in the outbox for \(age / 1000) s",
                        advice: "waybill outbox list --service \(service)"
                    )
                )
            }
            if let parked = stats["parked"]?.integerValue, parked > 0 {
                findings.append(
                    Finding(
                        service: service,
                        what: "\(parked) messages are parked",
                        advice: "waybill outbox list --service \(service) --state parked"
                    )
                )
            }
        }
        if let stats = try? await session.operatorJSON("GET", service, "/operator/dead-letters/stats") {
            let held = (stats["items"]?.arrayValue ?? []).filter { $0["state"]?.stringValue == "held" }
                .reduce(0) { $0 + ($1["count"]?.integerValue ?? 0) }
            if held > 0 {
                findings.append(
                    Finding(
                        service: service,
                        what: "\(held) dead letters",
                        advice: "waybill dlq list --service \(service)"
                    )
                )
            }
        }
        return findings
    }

    /// What only the metrics tell: consumers that fall behind, breakers that are open.
    private func metrics(_ service: String, _ url: String, _ session: Session) async -> [Finding] {
        guard case .success(let reply) = await session.send("GET", url + "/metrics"), reply.isSuccess else { return [] }
        var findings: [Finding] = []
        for line in String(decoding: reply.body, as: UTF8.self).split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                continue
            }
            let name = line[..<space]
            if name.hasPrefix("waybill_consumer_lag"), value > Bound.consumerLag {
                findings.append(
                    Finding(
                        service: service,
                        what: "\(Int(value)) events behind",
                        advice: "it catches up unless this number grows"
                    )
                )
            }
            if name.contains("breaker"), name.contains("open"), value >= 1 {
                findings.append(
                    Finding(
                        service: service,
                        what: "a circuit breaker is open: \(name)",
                        advice: "look after what it protects"
                    )
                )
            }
        }
        return findings
    }

    private func openOrders(_ session: Session) async throws -> [Finding] {
        var findings: [Finding] = []
        for status in ["needsOperator", "awaitingStock", "awaitingPayment", "confirming", "cancelling"] {
            guard let url = try? session.url(of: "order"),
                let page = try? await session.json("GET", url + "/v1/orders?status=\(status)&limit=100")
            else { continue }
            let stuck = (page["orders"]?.arrayValue ?? []).filter { order in
                guard let text = order["updatedAt"]?.stringValue,
                    let at = try? Date(
                        text,
                        strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true)
                    )
                else { return false }
                return status == "needsOperator" || Date().timeIntervalSince(at) > Bound.openOrderSeconds
            }
            if let first = stuck.first {
                findings.append(
                    Finding(
                        service: "order",
                        what: "\(stuck.count) orders stand at \(status)",
                        advice: "waybill order timeline \(first["id"]?.shown ?? "")"
                    )
                )
            }
        }
        return findings
    }
}
