import Messaging
import Testing

@testable import RabbitMQ
@testable import ServiceKit

@Suite struct AMQPMessagesTests {
    private func delivery(body: [UInt8], isOversized: Bool) -> RabbitMQDelivery {
        let envelope = Envelope(
            id: "m1",
            source: "/test",
            type: "test.command.v1",
            subject: "s-1",
            time: Timestamp(millisecondsSinceEpoch: 1000),
            correlationID: "c-1",
            body: body
        )
        var headers: RabbitMQTable = [:]
        for (name, value) in EnvelopeHeaders.encode(envelope) { headers[name] = .string(value) }
        var properties = RabbitMQProperties()
        properties.headers = headers
        return RabbitMQDelivery(
            handle: .init(epoch: 1, channel: 1, tag: 1),
            queue: "test.inbox",
            exchange: "test.inbox",
            routingKey: "test.inbox",
            isRedelivered: false,
            properties: properties,
            body: body,
            isOversized: isOversized,
            hasMalformedProperties: false
        )
    }

    @Test func whatWasPublishedIsReadBack() throws {
        let message = AMQPMessages.received(delivery(body: [1, 2], isOversized: false))
        let envelope = try message.envelope.get()
        #expect(envelope.id == "m1")
        #expect(envelope.body == [1, 2])
    }

    /// Its body is gone and looks empty; nothing but the mark says so.
    @Test func aBodyThatWasTooLargeToTakeIsNotAnEmptyMessage() throws {
        let message = AMQPMessages.received(delivery(body: [], isOversized: true))
        let fault = #expect(throws: EnvelopeFault.self) { try message.envelope.get() }
        #expect(fault?.code == "envelope-body-too-long")
        #expect(fault?.failureClass == .poison)
        #expect(message.headers.contains { $0.name == "ce_id" && $0.value == "m1" })
    }
}
