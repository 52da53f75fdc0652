import DurableStore
import Foundation
import KitTestSupport
import Messaging
import StrictJSON
import Testing

@testable import Webhooks

@Suite("What an endpoint wants, and how much of it")
struct ContentTests {
    private static let event: JSONValue = [
        "type": "shop.order.placed", "subject": "o1",
        "data": [
            "total": ["minorUnits": 2500, "currency": "EUR"], "note": "café", "gift": false, "none": .null,
            "lines": [["sku": "MUG", "quantity": 2], ["sku": "TEA", "quantity": 5]], "tags": ["new", "loyal"],
        ],
    ]

    @Test(
        arguments: [
            (#"{"data":{"total":{"currency":"EUR"}}}"#, true), (#"{"data":{"total":{"currency":"USD"}}}"#, false),
            (#"{"data":{"total":{"minorUnits":{"$gte":2500,"$lt":2501}}}}"#, true),
            (#"{"data":{"total":{"minorUnits":{"$gt":2500}}}}"#, false),
            (#"{"data":{"total":{"minorUnits":{"$lte":2499}}}}"#, false),
            (#"{"data":{"total":{"minorUnits":{"$gt":"1"}}}}"#, false),
            (#"{"data":{"total":{"minorUnits":{"$eq":2500}}}}"#, true),
            (#"{"data":{"total":{"currency":{"$neq":"EUR"}}}}"#, false),
            (#"{"data":{"total":{"currency":{"$in":["CHF","EUR"]}}}}"#, true),
            (#"{"data":{"total":{"currency":{"$nin":["CHF","EUR"]}}}}"#, false),
            (#"{"data":{"note":{"$startsWith":"caf","$endsWith":"é"}}}"#, true),
            (#"{"data":{"note":{"$startsWith":"tea"}}}"#, false), (#"{"data":{"gift":false}}"#, true),
            (#"{"data":{"none":{"$exist":true}}}"#, true), (#"{"data":{"nothing":{"$exist":false}}}"#, true),
            (#"{"nowhere":{"deep":{"$exist":false}}}"#, true), (#"{"data":{"nothing":{"$exist":true}}}"#, false),
            (#"{"data":{"nothing":{"$neq":"x"}}}"#, true), (#"{"data":{"nothing":"x"}}"#, false),
            (#"{"data":{"tags":"loyal"}}"#, true), (#"{"data":{"tags":["new","loyal"]}}"#, true),
            (#"{"data":{"tags":{"$nin":["new"]}}}"#, false),
            // One and the same line has to fit.
            (#"{"data":{"lines":{"sku":"TEA","quantity":{"$gte":5}}}}"#, true),
            (#"{"data":{"lines":{"sku":"MUG","quantity":{"$gte":5}}}}"#, false),
            (#"{"$or":[{"subject":"o2"},{"data":{"gift":false}}]}"#, true),
            (#"{"$and":[{"subject":"o1"},{"data":{"gift":true}}]}"#, false),
            (#"{"$not":{"subject":"o2"}}"#, true), (#"{"subject":{"$not":"o1"}}"#, false), ("{}", true),
        ]
    )
    func filters(_ text: String, _ fits: Bool) throws {
        let filter = try ContentFilter(StrictJSON.parse(Array(text.utf8)))
        #expect(filter.fits(Self.event) == fits)
        #expect(ContentFilter(text: filter.text) == filter)
    }

    @Test(arguments: [
        "[]", "1", #"{"a":{"$like":"x"}}"#, #"{"a":{"$in":"x"}}"#, #"{"a":{"$in":[]}}"#, #"{"a":{"$gt":true}}"#,
        #"{"a":{"$exist":1}}"#, #"{"$or":{}}"#, #"{"a":{"$startsWith":1}}"#,
    ])
    func noFilters(_ text: String) throws {
        let document = try StrictJSON.parse(Array(text.utf8))
        #expect(throws: ContentFilter.Fault.self) { try ContentFilter(document) }
    }

    @Test func tooLargeFiltersAreRefused() {
        let many = JSONObject((0...ContentFilter.maximumRules).map { JSONMember("a\($0)", 1) })
        #expect(throws: ContentFilter.Fault.self) { try ContentFilter(.object(many)) }
        let long: JSONValue = ["a": .string(String(repeating: "x", count: ContentFilter.maximumBytes))]
        #expect(throws: ContentFilter.Fault.self) { try ContentFilter(long) }
    }

    @Test func onlyEventsWithTheRightContentOrChannelAreDelivered() async throws {
        let bench = try Bench { _, _ in status(200) }
        let (filtered, _) = try await bench.endpoint { $0.filter = try? ContentFilter(["data": ["n": ["$gte": 2]]]) }
        let (channelled, _) = try await bench.endpoint { $0.channels = ["customer:a", "customer:b"] }
        let (all, _) = try await bench.endpoint()
        for (id, number, channels) in [("one", 1, ["customer:a"]), ("two", 2, ["customer:c"]), ("three", 3, [])] {
            _ = try await bench.store.write { tx in
                let event = WebhookEvent(
                    id: id,
                    source: "/shop",
                    type: "a.b",
                    subject: "s",
                    time: tx.now,
                    data: ["n": .integer(Int64(number))],
                    channels: channels
                )
                return try WebhookFanout {}.publish(event, in: tx)
            }
        }
        func ids(_ endpoint: WebhookEndpoint) async throws -> [String] {
            try await bench.deliveries { $0.endpointID = endpoint.id }.map(\.messageID)
        }
        #expect(try await ids(filtered) == ["two", "three"])
        #expect(try await ids(channelled) == ["one"])
        #expect(try await ids(all) == ["one", "two", "three"])
        // A late endpoint with both recovers what it would have had.
        let (late, _) = try await bench.endpoint {
            $0.filter = try? ContentFilter(["data": ["n": ["$lt": 3]]])
            $0.channels = ["customer:c"]
        }
        bench.clock.advance(by: .seconds(1))
        let recoveries = WebhookRecoveries(store: bench.store) {}
        var request = RecoveryRequest(endpoint: late.id, since: Timestamp(millisecondsSinceEpoch: 0))
        request.includesMissing = true
        _ = try await recoveries.start(request)
        while try await recoveries.advance() {}
        #expect(try await ids(late) == ["two"])
        let stored = try #require(try await bench.queries.endpoint(late.id))
        #expect(stored.settings.channels == ["customer:c"] && stored.settings.filter == late.settings.filter)
    }

    /// What the texts of an endpoint's row say is kept in memory: a change counts at once, and one that was rolled back never.
    @Test func aChangedEndpointIsReadAnewAndARolledBackChangeNever() async throws {
        struct Undone: Error {}
        let bench = try Bench { _, _ in status(200) }
        let (endpoint, _) = try await bench.endpoint { $0.eventTypes = ["a.b"] }
        func publish(
            _ id: String,
            isUndone: Bool = false,
            _ change: @escaping @Sendable (inout EndpointSettings) -> Void
        ) async throws {
            _ = try await bench.store.write { [administration = bench.administration] tx in
                _ = try administration.update(endpoint.id, actor: "test", in: tx, change)
                let event = WebhookEvent(
                    id: id,
                    source: "/shop",
                    type: "a.b",
                    subject: "s",
                    time: tx.now,
                    data: ["n": 1]
                )
                let count = try WebhookFanout {}.publish(event, in: tx)
                if isUndone { throw Undone() }
                return count
            }
        }
        try await publish("one") { _ in }
        await #expect(throws: Undone.self) {
            try await publish("undone", isUndone: true) { $0.eventTypes = ["x.y"] }
        }
        try await publish("two") { _ in }
        try await publish("three") { $0.eventTypes = ["x.y"] }
        try await publish("four") { $0.eventTypes = ["a.*"] }
        try await publish("five") { $0.filter = try? ContentFilter(["data": ["n": ["$gte": 2]]]) }
        try await publish("six") { $0.filter = nil }
        #expect(try await bench.deliveries().map(\.messageID) == ["one", "two", "four", "six"])
    }

    private func publish(_ bench: Bench, size: Int, dataref: String?) async throws {
        _ = try await bench.store.write { tx in
            let data: JSONValue = .array(
                (0..<max(1, size / 1000)).map { _ in .string(String(repeating: "x", count: 1000)) }
            )
            let event = WebhookEvent(
                id: "evt_\(size)",
                source: "/shop",
                type: "a.b",
                subject: "o1",
                time: tx.now,
                data: data,
                dataref: dataref
            )
            return try WebhookFanout {}.publish(event, in: tx)
        }
    }

    @Test func aThinPayloadNamesTheSubjectAndWhereTheRestIs() async throws {
        let bench = try Bench { _, number in status(number == 1 ? 500 : 200) }
        let (endpoint, secret) = try await bench.endpoint { $0.payload = .thin }
        try await publish(bench, size: 1000, dataref: "https://shop.example/v1/orders/o1")
        try await bench.dispatcher.performDue()
        // The setting changes between the attempts; the bytes do not.
        _ = try await bench.store.write { [administration = bench.administration] tx in
            try administration.update(endpoint.id, actor: "test", in: tx) { $0.payload = .full }
        }
        bench.clock.advance(by: .seconds(10))
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 2 && Set(bench.sender.requests.map(\.body)).count == 1)
        let request = try #require(bench.sender.requests.last)
        let body = try StrictJSON.parse(request.body)
        #expect(body["data"] == ["id": "o1"] && body["dataref"]?.stringValue == "https://shop.example/v1/orders/o1")
        #expect(body["id"]?.stringValue == "evt_1000" && body["specversion"]?.stringValue == "1.0")
        let verifier = WebhookVerifier(secrets: [secret])
        let verdict = verifier.verify(headers: request.headers, body: request.body, at: bench.clock.now())
        #expect(try verdict.get().id == "evt_1000")
    }

    @Test func aLargeEventGoesOutThinWhenItsDataCanBeReadElsewhere() async throws {
        let bench = try Bench { _, _ in status(200) }
        _ = try await bench.endpoint()
        try await publish(bench, size: 30_000, dataref: "https://shop.example/v1/orders/o1")
        try await publish(bench, size: 40_000, dataref: nil)
        try await publish(bench, size: 10_000, dataref: "https://shop.example/v1/orders/o1")
        try await bench.dispatcher.performDue()
        let sizes = bench.sender.requests.map(\.body.count)
        #expect(sizes.count == 3 && sizes[0] < 1000 && sizes[1] > 40_000 && sizes[2] > 10_000)
    }

    @Test func anErasedPayloadIsNeverSentAgain() async throws {
        let bench = try Bench { request, _ in
            status(String(decoding: request.body, as: UTF8.self).contains("evt_1") ? 500 : 200)
        }
        _ = try await bench.endpoint { $0.ordering = .key }
        _ = try await bench.publish("evt_1")
        _ = try await bench.publish("evt_2")
        try await bench.dispatcher.performDue()
        let admin = bench.administration
        let failing = try #require(try await bench.deliveries().first)
        #expect(failing.state == .pending)
        #expect(try await bench.store.write { tx in try admin.erase("evt_1", actor: "test", in: tx) } == 1)
        // Doing it again changes nothing.
        #expect(try await bench.store.write { tx in try admin.erase("evt_1", actor: "test", in: tx) } == 0)
        bench.clock.advance(by: .seconds(86_400))
        try await bench.dispatcher.performDue()
        let deliveries = try await bench.deliveries()
        #expect(deliveries.map(\.state) == [.cancelled, .delivered] && deliveries[0].reason == "payload_erased")
        #expect(bench.sender.requests.count == 2)
        await #expect(throws: WebhookAdministration.Fault.self) {
            _ = try await bench.store.write { tx in try admin.resend(failing.id, in: tx) }
        }
        await #expect(throws: WebhookAdministration.Fault.self) {
            _ = try await bench.store.write { tx in try admin.redrive(failing.id, in: tx) }
        }
        let recoveries = WebhookRecoveries(store: bench.store) {}
        let request = RecoveryRequest(endpoint: failing.endpointID, since: Timestamp(millisecondsSinceEpoch: 0))
        #expect(try await recoveries.count(request) == 0)
        let message = try #require(try await bench.queries.delivery(failing.id)?.message)
        #expect(message.body.isEmpty)
    }

    @Test func erasingWhileARequestIsOnTheWireEndsItsDelivery() async throws {
        let bench = try Bench { _, _ in status(200) }
        let (store, admin) = (bench.store, bench.administration)
        bench.sender.set { _, _ in
            _ = try? await store.write { tx in try admin.erase("evt_1", actor: "test", in: tx) }
            return status(500)
        }
        _ = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        #expect(try await bench.deliveries().map(\.state) == [.cancelled])
    }
}
