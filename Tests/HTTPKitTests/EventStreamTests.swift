import HTTPKit
import HTTPTypes
import Hummingbird
import StrictJSON
import Synchronization
import Testing

@Suite("Server-sent events", .timeLimit(.minutes(2)))
struct EventStreamTests {
    @Test("events are written as the specification says, and cannot forge fields")
    func encoding() {
        let event = ServerSentEvent(id: "7\nid: 8", event: "a\rb", data: "one\r\ntwo\rthree\n")
        #expect(
            String(decoding: event.encoded, as: UTF8.self)
                == "id: 7id: 8\nevent: ab\ndata: one\ndata: two\ndata: three\ndata: \n\n"
        )
    }

    @Test("what is written is read back, however it is cut")
    func parsing() throws {
        let events = [
            ServerSentEvent(id: "1", data: "a"), ServerSentEvent(id: "2", event: "x", data: "b\nc"),
            ServerSentEvent(id: "2", data: "€ 😀"),
            ServerSentEvent(id: "3", data: ""),
        ]
        let bytes = Array(": hello\n\nretry: 5\n\n".utf8) + events.flatMap(\.encoded)
        for size in [1, 2, 3, 7, bytes.count] {
            var parser = ServerSentEventParser()
            var read: [ServerSentEvent] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                read += try parser.feed(bytes[start..<min(start + size, bytes.count)])
            }
            #expect(read == events)
            #expect(parser.lastEventID == "3")
        }
        var windows = ServerSentEventParser()
        #expect(try windows.feed("id:9\r\ndata:x\r\n\r\n".utf8) == [ServerSentEvent(id: "9", data: "x")])
        var endless = ServerSentEventParser()
        #expect(throws: ServerSentEventParser.TooLarge.self) { try endless.feed(repeatElement(0x41, count: 300_000)) }
    }

    /// A history that grows, as a table would.
    final class History: Sendable {
        let signal = ChangeSignal<String>()
        private let rows = Mutex<[Int]>([])

        func append(_ row: Int) {
            rows.withLock { $0.append(row) }
            signal.notify("k")
        }

        func after(_ cursor: String?, _ wait: Duration) async throws -> EventStreams.Page {
            guard let ticket = signal.subscribe(to: "k") else { throw Problem.unavailable("full", "Full.") }
            let start = cursor.flatMap { Int($0) } ?? 0
            for _ in 0..<2 {
                let found = rows.withLock { $0.filter { $0 > start } }.prefix(3)
                let events = found.map { ServerSentEvent(id: "\($0)", event: "row", data: "\($0)") }
                if found.contains(10) { return .last(events) }
                if !events.isEmpty { return .events(events) }
                guard await ticket.wait(upTo: wait) else { return .events([]) }
            }
            return .events([])
        }
    }

    @Test("a stream gives history, then news, heartbeats while waiting, and can be resumed")
    func stream() async throws {
        let history = History()
        let streams = EventStreams(maxStreams: 2)
        var options = EventStreams.Options()
        options.heartbeat = .milliseconds(50)
        for row in 1...4 { history.append(row) }
        try await withServer(routes: { [options] router in
            router.get("/events") { request, _ in
                try streams.response(to: request, options: options) { try await history.after($0, $1) }
            }
        }) { base, port, sender in
            let seen = Mutex<[String]>([])
            let result = await sender.followEvents(url: base + "/events", silence: .seconds(20)) { event in
                let count = seen.withLock { seen in
                    seen.append(event.id ?? "-")
                    return seen.count
                }
                if count == 4 { for row in 5...7 { history.append(row) } }
                return count < 6
            }
            let ended = try result.get()
            #expect(ended == nil)
            #expect(seen.withLock { $0 } == ["1", "2", "3", "4", "5", "6"])
            // Resume behind 6; the last row ends the stream from the server's side.
            for row in 8...10 { history.append(row) }
            let rest = Mutex<[String]>([])
            let end = await sender.followEvents(url: base + "/events", lastEventID: "6") { event in
                rest.withLock { $0.append(event.data) }
                return true
            }
            let closed = try end.get()
            #expect(closed == nil)
            #expect(rest.withLock { $0 } == ["7", "8", "9", "10"])
            let bad = try await sender.send(
                "GET",
                url: base + "/events",
                headers: [("last-event-id", String(repeating: "x", count: 200))]
            ).get()
            #expect(bad.json["code"] == "invalid-last-event-id")
        }
    }

    @Test("streams are bounded, freed when clients go, and end with the server")
    func bounds() async throws {
        let streams = EventStreams(maxStreams: 2)
        var options = EventStreams.Options()
        options.heartbeat = .milliseconds(20)
        try await withServer(routes: { [options] router in
            router.get("/events") { request, _ in
                try streams.response(to: request, options: options) { _, wait in
                    try await Task.sleep(for: wait)
                    return .events([ServerSentEvent(id: nil, data: "x")])
                }
            }
        }) { base, _, sender in
            let followers = (0..<2).map { _ in
                Task { await sender.followEvents(url: base + "/events") { _ in true } }
            }
            while streams.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
            let third = try await sender.send("GET", url: base + "/events").get()
            #expect(
                third.status == 503 && third.json["code"] == "too-many-streams" && third.header("retry-after") == "5"
            )
            followers[0].cancel()
            _ = await followers[0].value
            while streams.count > 1 { try await Task.sleep(for: .milliseconds(5)) }
            // The second one is still open when the server is told to stop: it must not hold it up.
        }
        #expect(streams.count == 0)
    }

    @Test("signals are not lost between reading and waiting, and only reach their key")
    func signals() async {
        let signal = ChangeSignal<Int>(maxTickets: 2)
        let one = signal.subscribe(to: 1)
        let two = signal.subscribe(to: 2)
        #expect(signal.subscribe(to: 3) == nil)
        signal.notify(1)
        #expect(await one?.wait(upTo: .seconds(30)) == true)
        #expect(await one?.wait(upTo: .milliseconds(10)) == false)
        #expect(await two?.wait(upTo: .milliseconds(10)) == false)
        async let waiting = two?.wait(upTo: .seconds(30))
        signal.notify(2)
        #expect(await waiting == true)
        let cancelled = Task { await two?.wait(upTo: .seconds(60)) }
        cancelled.cancel()
        #expect(await cancelled.value == false)
    }

    @Test("a ticket's end frees its place")
    func tickets() {
        let signal = ChangeSignal<Int>(maxTickets: 1)
        for _ in 0..<3 {
            #expect(signal.subscribe(to: 1) != nil)
            #expect(signal.count == 0)
        }
    }
}
