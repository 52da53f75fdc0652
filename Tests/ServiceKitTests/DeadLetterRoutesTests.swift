import DurableStore
import GRDB
import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KitTestSupport
import Messaging
import NIOCore
import StrictJSON
import Synchronization
import Testing

@testable import ServiceKit

/// Fails while it is told to.
private final class Handler: MessageHandler {
    let consumer = "reader"
    let isIll = Mutex(true)

    func handle(_ envelope: Envelope, in transaction: Transaction) throws {
        let isIll = isIll.withLock { $0 }
        if isIll || envelope.body == [UInt8]("bad".utf8) {
            throw Failure(.poison, code: "bad", "It cannot be understood.")
        }
    }
}

@Suite struct DeadLetterRoutesTests {
    private struct World: Sendable {
        let store: DurableStore
        let handler: Handler
        let client: any TestClientProtocol

        func call(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) async throws -> (Int, JSONValue)
        {
            let headers: HTTPFields = body == nil ? [:] : [.contentType: "application/json"]
            let reply = try await client.execute(
                uri: "/operator" + path,
                method: method,
                headers: headers,
                body: body.map { ByteBuffer(string: $0) }
            )
            return (reply.status.code, try StrictJSON.parse([UInt8](reply.body.readableBytesView)))
        }

        func ids(_ query: String = "") async throws -> [String] {
            try await call(.get, "/dead-letters" + query).1["items"]?.arrayValue?.compactMap { $0["id"]?.stringValue }
                ?? []
        }
    }

    private func withWorld(letters: Int = 3, _ body: @escaping @Sendable (World) async throws -> Void) async throws {
        let store = try DurableStore.inMemory(migrations: DatabaseMigrator(), clock: ManualClock())
        let handler = Handler()
        let processor = EventProcessor(store: store, consumer: "reader", handler: handler)
        let records = (0..<letters).map { index in
            let envelope = Envelope(
                id: "m\(index)",
                source: "/test",
                type: "test.event.v1",
                subject: "s-\(index)",
                time: Timestamp(millisecondsSinceEpoch: 0),
                correlationID: "c",
                body: [UInt8]("{\"n\":\(index)}".utf8)
            )
            return ReceivedMessage(
                source: .record(topic: "events", partition: 0, offset: Int64(index)),
                headers: EnvelopeHeaders.encode(envelope),
                body: envelope.body
            )
        }
        _ = await processor.process(records)
        let desk = DeadLetterDesk(store: store, handlers: ["reader": handler])
        let router = Router(context: APIContext.self)
        DeadLetterRoutes(desk: desk, store: store).add(to: router)
        try await Application(router: router).test(.router) { client in
            try await body(World(store: store, handler: handler, client: client))
        }
    }

    @Test func listsPagesAndFilters() async throws {
        try await withWorld(letters: 5) { world in
            let first = try await world.call(.get, "/dead-letters?limit=2").1
            let cursor = try #require(first["next"]?.stringValue)
            let second = try await world.ids("?limit=2&cursor=\(cursor)")
            let firstIDs = try await world.ids("?limit=2")
            #expect(Set(firstIDs + second).count == 4)
            #expect(first["parked"] == [])
            #expect(try await world.ids("?subject=s-3").count == 1)
            #expect(try await world.ids("?text=%22n%22%3A4").count == 1)
            #expect(try await world.ids("?reason=bad&consumer=reader&transport=kafka&type=test.event.v1").count == 5)
            #expect(try await world.ids("?state=discarded").isEmpty)
            #expect(try await world.call(.get, "/dead-letters?state=odd").0 == 400)
            for list in ["/dead-letters", "/dead-letters/acts"] {
                #expect(try await world.call(.get, list + "?cursor=odd").0 == 400, "\(list)")
            }
            #expect(try await world.call(.get, "/dead-letters?failedBefore=noon").0 == 400)
            let whole = try await world.call(.get, "/dead-letters/" + firstIDs[0]).1
            #expect(whole["bodyText"]?.stringValue?.hasPrefix("{\"n\":") == true)
            #expect(try await world.call(.get, "/dead-letters/none").0 == 404)
            #expect(try await world.call(.get, "/dead-letters/stats").1["items"]?[0]?["count"] == 5)
        }
    }

    @Test func actsAnswerWithTheirResultAndAreInTheJournal() async throws {
        try await withWorld { world in
            let id = try await world.ids()[0]
            let path = "/dead-letters/" + id
            #expect(try await world.call(.post, path + "/rehearse").1["result"] == "failed")
            #expect(try await world.call(.post, path + "/requeue").1["result"] == "failed")
            #expect(try await world.call(.post, path + "/discard", "{}").0 == 422)
            let why = #"{"reason":"why","actor":"ada"}"#
            #expect(try await world.call(.post, path + "/discard", why).1["result"] == "done")
            let twice = try await world.call(.post, path + "/discard", why)
            #expect(twice.0 == 409 && twice.1["code"] == "not-held")
            #expect(try await world.call(.post, path + "/restore", why).1["result"] == "done")
            world.handler.isIll.withLock { $0 = false }
            #expect(try await world.call(.post, path + "/rehearse").1["result"] == "handled")
            #expect(try await world.call(.post, path + "/edit", #"{"body":"bad"}"#).1["code"] == "edit-invalid")
            let edited = try await world.call(.post, path + "/edit", #"{"body":"{\"n\":7}","reason":"n was 0"}"#)
            let copy = try #require(edited.1["newId"]?.stringValue)
            #expect(try await world.call(.post, "/dead-letters/\(copy)/requeue", why).1["result"] == "handled")
            #expect(try await world.call(.post, "/dead-letters/none/requeue", why).0 == 404)
            let acts = try await world.call(.get, "/dead-letters/acts?letter=" + id).1["items"]?.arrayValue ?? []
            #expect(
                acts.reversed().map { ($0["verb"]?.stringValue ?? "") + " " + ($0["outcome"]?.stringValue ?? "") } == [
                    "requeue failed", "discard done", "discard impossible", "restore done", "edit impossible",
                    "edit done",
                ]
            )
            #expect(acts.last?["actor"] == "operator")
            #expect(acts.dropLast().last?["actor"] == "operator ada")
        }
    }

    @Test func purgingTakesOnlyWhatWasDecided() async throws {
        try await withWorld { world in
            let ids = try await world.ids()
            _ = try await world.call(.post, "/dead-letters/\(ids[0])/discard", #"{"reason":"x"}"#)
            let dry = try await world.call(.post, "/dead-letters/purge", #"{"filter":{},"dryRun":true}"#)
            #expect(dry.1["count"] == 1)
            #expect(try await world.call(.post, "/dead-letters/purge", #"{"filter":{"state":"held"}}"#).0 == 409)
            #expect(try await world.call(.post, "/dead-letters/purge", #"{"filter":{"odd":"x"}}"#).0 == 422)
            #expect(try await world.call(.post, "/dead-letters/purge", #"{"filter":{}}"#).1["count"] == 1)
            #expect(try await world.ids("?state=all").count == 2)
        }
    }

    @Test func jobsAreStartedFollowedAndCancelled() async throws {
        try await withWorld { world in
            let rehearsed = try await world.call(.post, "/dead-letters/rehearse", #"{"filter":{"reason":"bad"}}"#).1
            #expect(rehearsed["items"]?.arrayValue?.map { $0["result"] } == ["failed", "failed", "failed"])
            let none = try await world.call(.post, "/dead-letter-jobs", #"{"filter":{"type":"odd"}}"#)
            #expect(none.0 == 409 && none.1["code"] == "nothing-chosen")
            let started = try await world.call(
                .post,
                "/dead-letter-jobs",
                #"{"filter":{"reason":"bad"},"ratePerMinute":60,"reason":"again"}"#
            )
            #expect(started.0 == 201 && started.1["total"] == 3 && started.1["state"] == "running")
            let id = try #require(started.1["id"]?.stringValue)
            #expect(try await world.call(.post, "/dead-letter-jobs", #"{"filter":{}}"#).1["code"] == "job-running")
            #expect(try await world.call(.get, "/dead-letter-jobs/\(id)/items").1["items"]?.arrayValue?.count == 3)
            #expect(try await world.call(.post, "/dead-letter-jobs/\(id)/cancel").1["state"] == "cancelled")
            #expect(try await world.call(.post, "/dead-letter-jobs/\(id)/cancel").0 == 409)
            #expect(try await world.call(.get, "/dead-letter-jobs").1["items"]?[0]?["id"]?.stringValue == id)
            #expect(try await world.call(.get, "/dead-letter-jobs/none").0 == 404)
        }
    }
}
