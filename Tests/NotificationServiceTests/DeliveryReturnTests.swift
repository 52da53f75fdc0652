import Commerce
import DurableStore
import KitTestSupport
import Messaging
import NotificationCore
import Synchronization
import Testing
import Webhooks

@testable import NotificationService

/// Answers with the status of the moment.
private final class Subscriber: WebhookSending {
    let status = Mutex(503)
    let count = Mutex(0)
    func interrupt() async {}
    func send(_ request: WebhookRequest) async -> WebhookExchange {
        count.withLock { $0 += 1 }
        return WebhookExchange(result: .answered(AttemptAnswer(status: status.withLock { $0 })))
    }
}

/// Deliveries that were given up are dead letters like all others: listed with them, sent back by the same verb.
@Suite struct DeliveryReturnTests {
    private struct World {
        let clock = ManualClock()
        let store: DurableStore
        let subscriber = Subscriber()
        let dispatcher: WebhookDispatcher
        let administration: WebhookAdministration
        let desk: DeadLetterDesk

        init(breakerThreshold: Int? = nil) async throws {
            store = try DurableStore.inMemory(migrations: NotificationSchema.migrations, clock: clock)
            var options = SenderOptions()
            options.schedule = try #require(RetrySchedule(delays: [1000]))
            dispatcher = WebhookDispatcher(store: store, sender: subscriber, options: options, clock: clock)
            administration = WebhookAdministration(
                knownTypes: EventCatalog.types,
                policy: AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8") ?? [])
            ) {}
            desk = DeadLetterDesk(store: store, returns: ["http": DeliveryReturn(administration: administration)])
            var settings = EndpointSettings(url: "http://127.0.0.1:9/hook")
            settings.eventTypes = ["waybill.order.*"]
            settings.breakerThreshold = breakerThreshold
            _ = try await store.write { [administration, settings] tx in
                try administration.create(settings, actor: "test", in: tx)
            }
            let type = OrderEvent.messageType(for: .completed)
            let envelope = Envelope(
                id: "evt-1",
                source: "/waybill/order",
                type: type,
                subject: "o-1",
                time: clock.now(),
                sequence: 1,
                correlationID: "o-1",
                body: try #require(try ExampleEvents.data(of: type))
            )
            try await store.write { tx in
                try EventForwarder(fanout: WebhookFanout {}).handle(envelope, in: tx)
            }
        }

        /// Lets everything be attempted that comes due within a while.
        func pass(rounds: Int = 4, then last: Duration = .seconds(3600)) async throws {
            for round in 1...rounds {
                try await dispatcher.performDue()
                clock.advance(by: round == rounds ? last : .seconds(3600))
            }
        }

        /// The only endpoint.
        func endpoint() async throws -> String? {
            try await WebhookQueries(store: store).endpoints(after: "", limit: 1).first?.id
        }

        func deliveryStates() async throws -> [Delivery.State] {
            try await WebhookQueries(store: store).deliveries(.init(), limit: 10).map(\.state)
        }

        func letters() async throws -> [DeadLetter] { try await store.deadLetters(DeadLetterFilter(state: nil)) }
    }

    private let actor = DeadLetterActor("operator", reason: "the subscriber is mended")

    @Test func anExhaustedDeliveryIsListedAndSentBackByTheSameVerb() async throws {
        let world = try await World()
        try await world.pass()
        let letter = try #require(try await world.letters().first)
        #expect(letter.state == .held && letter.transport == "http" && letter.messageID == "evt-1")

        #expect(try await world.desk.rehearse(letter.id).kind == .sent)
        #expect(try await world.letters().map(\.state) == [.held])
        world.subscriber.status.withLock { $0 = 200 }
        #expect(try await world.desk.requeue(letter.id, actor).kind == .done)
        #expect(try await world.letters().map(\.state) == [.requeued])
        #expect(try await world.letters().map(\.stateReason) == ["the subscriber is mended"])
        // Twice is once.
        #expect(try await world.desk.requeue(letter.id, actor).code == "not-held")
        try await world.pass()
        #expect(try await world.letters().map(\.requeues) == [1])
        #expect(
            try await WebhookQueries(store: world.store).deliveries(.init(), limit: 10).map(\.state) == [.delivered]
        )
        let acts = try await world.store.deadLetterActs(letter: letter.id, job: nil, before: nil, limit: 10)
        #expect(acts.map(\.outcome) == ["impossible", "done"])
    }

    /// What a rehearsal says of a letter whose endpoint was changed in the meantime, and what the act says then.
    @Test(arguments: [
        (EndpointState.Action.pause, DeadLetterResult.Kind.sent, "endpoint-paused", DeadLetterResult.Kind.done),
        (.disable(.manual), .impossible, "endpoint-disabled", .impossible),
        (.delete, .impossible, "endpoint-deleted", .impossible),
        (.ask, .sent, "endpoint-unverified", .done),
    ])
    func aRehearsalKnowsTheEndpoint(
        action: EndpointState.Action,
        rehearsed: DeadLetterResult.Kind,
        code: String,
        acted: DeadLetterResult.Kind
    ) async throws {
        let world = try await World()
        try await world.pass()
        let letter = try #require(try await world.letters().first)
        let endpoint = try #require(try await world.endpoint())
        _ = try await world.store.write { try world.administration.act(action, on: endpoint, actor: "test", in: $0) }
        let rehearsal = try await world.desk.rehearse(letter.id)
        #expect(rehearsal.kind == rehearsed && rehearsal.code == code && rehearsal.sentence?.isEmpty == false)
        #expect(try await world.letters().map(\.state) == [.held])
        #expect(try await world.deliveryStates() == [.exhausted])
        let act = try await world.desk.requeue(letter.id, actor)
        #expect(act.kind == acted && act.code == code)
        #expect(try await world.letters().map(\.state) == [acted == .done ? .requeued : .held])
    }

    @Test func aRehearsalKnowsThatTheBreakerIsOpen() async throws {
        let world = try await World(breakerThreshold: 1)
        try await world.pass(rounds: 2, then: .zero)
        let letter = try #require(try await world.letters().first)
        #expect(try await world.desk.rehearse(letter.id).code == "breaker-open")
        world.clock.advance(by: .seconds(86_400))
        #expect(try await world.desk.rehearse(letter.id).code == nil)
    }

    @Test func oneThatWasDeliveredMeanwhileIsADuplicateAndIsNotSentAgain() async throws {
        let world = try await World()
        try await world.pass()
        let letter = try #require(try await world.letters().first)
        // Given up, delivered all the same because somebody resent it, and then taken back.
        #expect(try await world.desk.discard(letter.id, actor).kind == .done)
        world.subscriber.status.withLock { $0 = 200 }
        let delivery = try #require(
            try await WebhookQueries(store: world.store).deliveries(.init(), limit: 10).first?.id
        )
        _ = try await world.store.write { try world.administration.resend(delivery, in: $0) }
        try await world.pass()
        #expect(try await world.deliveryStates() == [.delivered])
        let sent = world.subscriber.count.withLock { $0 }
        #expect(try await world.desk.restore(letter.id, actor).kind == .done)

        #expect(try await world.desk.rehearse(letter.id).kind == .duplicate)
        let result = try await world.desk.requeue(letter.id, actor)
        #expect(result.kind == .duplicate && result.code == "already-arrived")
        #expect(result.sentence?.contains("delivered at 2026") == true)
        #expect(try await world.letters().map(\.state) == [.requeued])
        try await world.pass()
        #expect(world.subscriber.count.withLock { $0 } == sent)
    }

    /// Same id, same bytes, at every attempt.
    @Test func aDeliveryIsNotEditedAndTheAnswerSaysWhatToDoInstead() async throws {
        let world = try await World()
        try await world.pass()
        let letter = try #require(try await world.letters().first)
        let result = try await world.desk.edit(letter.id, body: Array("{}".utf8), actor)
        #expect(result.kind == .impossible && result.code == "delivery-not-editable")
        #expect(result.sentence?.contains("requeue it, or discard it") == true)
        #expect(try await world.letters().map(\.state) == [.held])
    }

    @Test func oneThatFailsAgainIsHeldAgainUnderTheSameID() async throws {
        let world = try await World()
        try await world.pass()
        let letter = try #require(try await world.letters().first)
        #expect(try await world.desk.requeue(letter.id, actor).kind == .done)
        try await world.pass()
        #expect(try await world.letters().map { "\($0.id == letter.id) \($0.state)" } == ["true held"])
    }

    @Test func manyAreSentBackByAJob() async throws {
        let world = try await World()
        try await world.pass()
        world.subscriber.status.withLock { $0 = 200 }
        let job = try await world.desk.startJob(DeadLetterFilter(), pace: DeadLetterPace(settle: .zero), actor)
        let runner = DeadLetterJobRunner(desk: world.desk)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await runner.run() }
            let isFinished = try await eventually { try await world.store.deadLetterJob(job.id)?.state == .finished }
            #expect(isFinished)
            group.cancelAll()
        }
        #expect(try await world.store.deadLetterJob(job.id)?.outcomes == [.done: 1])
    }
}
