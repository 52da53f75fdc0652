import Failpoints
public import Messaging

/// Moves messages from a dead-letter queue into the table `dead_letters`, where they can be looked at and acted upon.
///
/// Idempotent: every copy of a dead letter has the same id, and the table keeps the first.
public struct DeadLetterDrain: MessageProcessor {
    private let inbox: String
    private let observer: @Sendable (DeadLetter) -> Void
    private let pause: StorePause

    /// Makes a drain.
    ///
    /// - Parameters:
    ///   - inbox: the inbox whose dead-letter queue `<inbox>.dead` this drains.
    ///   - observer: told of each new record after its commit; must not block.
    public init(
        store: DurableStore,
        inbox: String,
        observer: @escaping @Sendable (DeadLetter) -> Void = { _ in }
    ) {
        self.inbox = inbox
        self.observer = observer
        pause = StorePause(store)
    }

    /// Records each message in a unit of its own; what could not be recorded is given back.
    public func process(_ batch: [ReceivedMessage]) async -> [Verdict] { await process(batch, until: { false }) }

    /// As ``process(_:)``; while the store cannot write, the messages wait here as in ``CommandProcessor``.
    public func process(_ batch: [ReceivedMessage], until isEnding: @Sendable () -> Bool) async -> [Verdict] {
        Failpoints.reach("dead-letters.before-record", about: batch.subjects)
        let units = batch.map { message in
            RecoverableUnit<DeadLetter?>(
                run: { transaction in
                    let letter = DeadLetter(message, inbox: inbox, now: transaction.now)
                    return try DeadLetterTable.insert(letter, in: transaction.db) ? letter : nil
                },
                recover: nil
            )
        }
        var storeFailure: Failure?
        let verdicts = await pause.writeEach(units, until: isEnding).map { result -> Verdict in
            switch result {
            case .success(let letter):
                if let letter { observer(letter) }
                return .acknowledge
            case .failure(let error):
                let failure = Failure(classifyingStoreError: error)
                storeFailure = failure
                return failure.failureClass == .fatal ? .stop(failure) : .giveBack(failure)
            }
        }
        await pause.afterBatch(storeFailure, until: isEnding)
        Failpoints.reach("dead-letters.before-ack", about: batch.subjects)
        return verdicts
    }
}

extension DeadLetter {
    /// A record of a message found in a dead-letter queue: put there by ``CommandProcessor``, or by the broker itself.
    init(_ message: ReceivedMessage, inbox: String, now: Timestamp) {
        let sent = message.header(DeadLetterHeaders.original).flatMap { HeaderText.decodePairs([UInt8]($0.utf8)) }
        let original = sent ?? message.headers
        let reading = ReceivedMessage(source: message.source, headers: original, body: message.body)
        // The broker gives up on a message that was delivered too often; it says so only in its own headers.
        let byBroker = message.header(DeadLetterHeaders.reason) == nil
        let isOversized = message.envelope == .failure(.oversizedBody)
        let brokersCode =
            isOversized
            ? EnvelopeFault.oversizedBody.code
            : "broker-" + (message.header("x-first-death-reason") ?? "dead-lettered").replacing("_", with: "-")
        let failedAt = message.header(DeadLetterHeaders.failedAt).flatMap { Timestamp($0) } ?? now
        self.init(
            id: message.header(DeadLetterHeaders.id) ?? DeadLetterForm.identifier(message, consumer: inbox),
            transport: .amqp,
            consumer: message.header(DeadLetterHeaders.source) ?? inbox,
            source: message.header(DeadLetterHeaders.source) ?? inbox,
            envelope: try? reading.envelope.get(),
            failureClass: message.header(DeadLetterHeaders.failureClass) ?? FailureClass.poison.rawValue,
            code: message.header(DeadLetterHeaders.reason) ?? brokersCode,
            error: message.header(DeadLetterHeaders.error)
                ?? (byBroker ? "The broker moved the message here by itself." : ""),
            attempts: message.header(DeadLetterHeaders.attempts).flatMap { Int($0) }.map { max(0, $0) } ?? 1,
            firstFailedAt: message.header(DeadLetterHeaders.firstFailedAt).flatMap { Timestamp($0) } ?? failedAt,
            failedAt: failedAt,
            headers: original,
            body: message.body,
            xDeath: message.header("x-death"),
            previousID: message.header(DeadLetterHeaders.previous),
            now: now
        )
    }
}
