import ArgumentParser
import Foundation
import Messaging
import StrictJSON
import Terminal

/// Which letters are meant. Every option that is given must fit.
struct DeadLetterChoice: ParsableArguments {
    @Option(name: .long, help: "Only this service: order, payment, inventory, notification or analytics.")
    var service: String?
    @Option(name: .long, help: "Only this message type.") var type: String?
    @Option(name: .long, help: "Only this reason.") var reason: String?
    @Option(name: .long, help: "Only about this order.") var order: String?
    @Option(name: .long, help: "Only from this inbox or consumer.") var consumer: String?
    @Option(name: .long, help: "Only from this transport: amqp or kafka.") var transport: String?
    @Option(name: .long, help: "Only failures before this time: 2026-01-31T12:00:00Z, or 90s, 30m, 2h, 7d ago.")
    var failedBefore: String?
    @Option(name: .long, help: "Only letters whose error, source, message id or payload contains this text.")
    var text: String?

    /// Whether anything narrows the choice.
    var isNarrowed: Bool {
        [service, type, reason, order, consumer, transport, failedBefore, text].contains { $0 != nil }
    }

    /// The services to ask.
    func services() throws(CommandEnd) -> [String] {
        guard let service else { return Session.services }
        guard Session.services.contains(service) else {
            throw .failed("There is no service \(service); use one of \(Session.services.joined(separator: ", ")).")
        }
        return [service]
    }

    /// The choice as the services understand it.
    func fields(state: String?) throws(CommandEnd) -> [(name: String, value: String)] {
        var fields: [(String, String)] = []
        func add(_ name: String, _ value: String?) {
            if let value { fields.append((name, value)) }
        }
        add("state", state)
        add("type", type)
        add("reason", reason)
        add("subject", order)
        add("consumer", consumer)
        add("transport", transport)
        add("failedBefore", try failedBefore.map(PointInTime.text))
        add("text", text)
        return fields
    }

    func query(state: String?) throws(CommandEnd) -> String {
        try fields(state: state).map { "\($0.name)=\(escaped($0.value))" }.joined(separator: "&")
    }

    func object(state: String? = nil) throws(CommandEnd) -> JSONValue {
        .object(JSONObject(try fields(state: state).map { JSONMember($0.name, .string($0.value)) }))
    }
}

/// Times as people type them.
enum PointInTime {
    /// `2h` as the time two hours ago; anything else as it is.
    ///
    /// To the millisecond, and the next one: a letter of this moment is before `0s`.
    static func text(_ typed: String) throws(CommandEnd) -> String {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let last = typed.last, let unit = units[last] else { return typed }
        guard let count = Double(typed.dropLast()), count >= 0, count.isFinite else { return typed }
        let milliseconds = (Date().timeIntervalSince1970 - count * unit) * 1000
        // Before the first year that is written with four digits there is nothing to find.
        let earliest = -62_135_596_800_000.0
        return Timestamp(millisecondsSinceEpoch: Int64(max(earliest, milliseconds.rounded(.down) + 1))).description
    }
}

/// Names letters by their ids; whose they are is found out.
struct DeadLetterIDs: ParsableArguments {
    @Argument(help: "Ids of `waybill dlq list`.") var ids: [String] = []
    @Option(name: .long, help: "The service that holds them; without it all are asked.") var service: String?
}

extension Session {
    /// The service that holds a letter, and the letter.
    func letter(_ id: String, service: String?) async throws(CommandEnd) -> (service: String, letter: JSONValue) {
        for name in service.map({ [$0] }) ?? Session.services {
            do throws(CommandEnd) {
                let path = "/operator/dead-letters/" + escaped(id)
                return (name, try await operatorJSON("GET", name, path, limits: .wholeLetter))
            } catch {
                // Only a clear no means that it is somewhere else.
                if error.code != 1 { throw error }
            }
        }
        throw .no("No service holds a dead letter \(id).")
    }

    /// Who types this: a name for the journal.
    static var person: String { NSUserName() }

    /// An act on one letter.
    func act(
        _ verb: String,
        _ id: String,
        service: String?,
        fields: [(String, String?)] = []
    ) async throws(CommandEnd) -> (service: String, result: JSONValue) {
        let holder = try await letter(id, service: service).service
        var body = JSONObject()
        body["actor"] = .string(Session.person)
        for (name, value) in fields {
            if let value { body[name] = .string(value) }
        }
        let path = "/operator/dead-letters/\(escaped(id))/\(verb)"
        return (holder, try await operatorJSON("POST", holder, path, body: .object(body)))
    }
}
