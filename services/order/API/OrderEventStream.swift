import Commerce
import HTTPKit
import Hummingbird
import Messaging
import StrictJSON

/// The changes of status of one order as server-sent events.
///
/// The id of an event is the order's version, so a client that comes back with `Last-Event-ID` misses nothing and gets
/// nothing twice. The stream ends with the order; asked again after that it answers 204, which tells an `EventSource` to
/// stay away. Rows are the source: signals only say when to look.
struct OrderEventStream: Sendable {
    private let watchOrder: WatchOrder
    private let streams = EventStreams(maxStreams: WatchOrder.maximumWatchers)
    private let options: EventStreams.Options

    init(watchOrder: WatchOrder, heartbeat: Duration) {
        self.watchOrder = watchOrder
        var options = EventStreams.Options()
        options.heartbeat = heartbeat
        self.options = options
    }

    /// - Throws: `Problem` for a bad `Last-Event-ID` or too many streams, ``UseCaseFault`` for an unknown order.
    func response(of id: OrderID, to request: Request) async throws -> Response {
        let seen = try Self.version(try EventStreams.cursor(of: request))
        let ticket = try watchOrder.ticket(for: id)
        let first = try await watchOrder.news(of: id, after: seen)
        if first.isFinal && first.entries.isEmpty { return Response(status: .noContent) }
        return try streams.response(to: request, options: options) { [watchOrder] cursor, wait in
            let version = try Self.version(cursor)
            var news = try await watchOrder.news(of: id, after: version)
            if news.entries.isEmpty, !news.isFinal, await ticket.wait(upTo: wait) {
                news = try await watchOrder.news(of: id, after: version)
            }
            let events = news.entries.map { Self.event($0, of: id) }
            return news.isFinal ? .last(events) : .events(events)
        }
    }

    /// One change of status.
    static func event(_ entry: HistoryEntry, of id: OrderID) -> ServerSentEvent {
        var data = JSONObject([
            JSONMember("id", .string(id.text)), JSONMember("status", .string(entry.to)),
            JSONMember("version", .integer(entry.version)), JSONMember("at", .string(entry.at.description)),
        ])
        if let from = entry.from { data["previousStatus"] = .string(from) }
        if let reason = entry.reason { data["reason"] = .string(reason) }
        return ServerSentEvent(id: String(entry.version), event: "status", json: StrictJSON.encode(.object(data)))
    }

    private static func version(_ cursor: String?) throws -> Int64 {
        guard let cursor else { return 0 }
        guard cursor.utf8.count <= 18, cursor.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let version = Int64(cursor)
        else {
            throw Problem.badRequest(
                "invalid-last-event-id",
                "Last-Event-ID must be the id of an event of this stream."
            )
        }
        return version
    }
}
