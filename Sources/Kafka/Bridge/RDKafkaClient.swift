internal import CRdKafka

/// One librdkafka client: everything above this folder talks to C through it, in Swift values only.
///
/// Threads: librdkafka's functions may be called from any thread at once, so this class needs no lock; `topics` is the exception and
/// belongs to the producer's owner thread. Functions named *poll…* and those that say "blocks" wait; they run on threads of our own,
/// never on the cooperative pool. Lifetime: while somebody holds a reference the handle lives, so a late call can never reach freed
/// memory; the owner chooses the thread that drops the last one (see `RDKafkaHandle`).
final class RDKafkaClient: @unchecked Sendable {
    enum Kind: Sendable { case producer, consumer, admin }

    let handle: RDKafkaHandle
    /// Topic objects by name, so that a record costs no lookup by string in C. Owner thread only. At most `maxTopics`.
    private var topics: [String: OpaquePointer] = [:]
    private static let maxTopics = 1_024

    init(_ kind: Kind, settings: [(String, String)], extra: [String: String], logLevel: Int) throws(KafkaError) {
        let configuration = try RDKafkaConfiguration(settings: settings + [("log_level", "\(logLevel)")], extra: extra)
        handle = try configuration.makeHandle(kind)
    }

    deinit { releaseTopics() }

    /// The library's own name of the client, such as `orders#producer-1`.
    var name: String { String(cString: rd_kafka_name(handle.raw)) }

    /// Version of the linked librdkafka.
    static var libraryVersion: String { String(cString: rd_kafka_version_str()) }

    // MARK: waking

    /// Makes the current or next `pollMain` return at once. From any thread; the wish is remembered.
    func wakeMain() { rd_kafka_queue_yield(handle.mainQueue) }

    /// Makes the current or next `pollConsumer` return at once. From any thread; the wish is remembered.
    func wakeConsumer() {
        if let queue = handle.consumerQueue { rd_kafka_queue_yield(queue) }
    }

    // MARK: faults

    /// The fatal fault that the handle has raised, with its cause, or nil.
    var fatalError: KafkaError? {
        let (code, text) = withErrorBuffer { buffer, size in rd_kafka_fatal_error(handle.raw, buffer, size) }
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(KafkaErrorCode(code), text, isFatal: true, isRetriable: false)
    }

    /// Raises a fatal fault as the library itself would (for tests).
    func raiseFatalErrorForTesting(_ code: KafkaErrorCode) {
        _ = rd_kafka_test_fatal_error(handle.raw, rd_kafka_resp_err_t(code.rawValue), "raised by a test")
    }

    // MARK: topics

    /// The topic object for a name, or nil where the name cannot be one.
    func topic(_ name: String) -> OpaquePointer? {
        if let known = topics[name] { return known }
        guard !name.isEmpty, !name.utf8.contains(0) else { return nil }
        if topics.count >= Self.maxTopics { releaseTopics() }
        guard let made = rd_kafka_topic_new(handle.raw, name, nil) else { return nil }
        topics[name] = made
        return made
    }

    private func releaseTopics() {
        // The library counts references itself: messages under way keep their topic.
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        topics.removeAll()
    }
}
