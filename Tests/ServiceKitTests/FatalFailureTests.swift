import DurableStore
import GRDB
import Logging
import Messaging
import RabbitMQ
import Testing

@testable import ServiceKit

/// A fatal failure ends the part of the service in which it happens, and with it the service.
@Suite(.timeLimit(.minutes(1))) struct FatalFailureTests {
    /// The relay had ended; its publisher, which nobody told, went on reconnecting, and the service seemed well.
    @Test func aRelayWhoseStoreFailedEndsItsPublisherToo() async throws {
        let store = try DurableStore.inMemory(migrations: DatabaseMigrator())
        store.abandon(Failure(.fatal, code: "store-io", "The disk failed."))
        let publisher = RabbitMQPublisher(
            configuration: try RabbitMQConfiguration(url: "amqp://guest:guest@127.0.0.1:1/%2f"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let relay = OutboxRelay(store: store, transport: .amqp, publisher: AMQPMessagePublisher(publisher))
        let failure = await #expect(throws: Failure.self) {
            try await AMQPRelayService(publisher: publisher, relay: relay).run()
        }
        #expect(failure?.code == "store-io")
    }
}
