import Synchronization

/// Lets one connection of this process at a time declare the same queues at the same broker.
///
/// When two connections declare the same new quorum queue at once, RabbitMQ 3.10 fails the later one with an internal error and,
/// cleaning up, deletes the queue of the first one too. Blocks the calling owner thread while another one declares.
enum DeclarationGate {
    private final class Gate: Sendable {
        let lock = Mutex(())
    }

    /// Gates in use, with the number of their users; empty when nobody declares.
    private static let gates = Mutex<[String: (gate: Gate, users: Int)]>([:])

    static func pass(_ key: String, _ body: () throws(RabbitMQError) -> Void) throws(RabbitMQError) {
        let gate = gates.withLock { gates in
            let gate = gates[key]?.gate ?? Gate()
            gates[key] = (gate, (gates[key]?.users ?? 0) + 1)
            return gate
        }
        defer {
            gates.withLock { gates in
                guard let users = gates[key]?.users else { return }
                gates[key] = users > 1 ? (gate, users - 1) : nil
            }
        }
        try gate.lock.withLock { _ throws(RabbitMQError) in try body() }
    }
}
