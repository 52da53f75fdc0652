import Failpoints
import Messaging

/// Where a relay can be made to die. What is committed and not marked must be sent again, and what was sent twice must be absorbed.
extension OutboxRelay {
    /// The rows are committed; the broker has seen nothing.
    func reachBeforePublish(_ call: RelayWindow.Call) {
        switch transport {
        case .amqp: Failpoints.reach("relay.amqp.before-publish", about: call.subjects)
        case .kafka: Failpoints.reach("relay.kafka.before-publish", about: call.subjects)
        }
    }

    /// The broker has answered; no row says so.
    func reachBeforeMark(_ call: RelayWindow.Call) {
        switch transport {
        case .amqp: Failpoints.reach("relay.amqp.before-mark", about: call.subjects)
        case .kafka: Failpoints.reach("relay.kafka.before-mark", about: call.subjects)
        }
    }

    /// The rows say so.
    func reachAfterMark() {
        switch transport {
        case .amqp: Failpoints.reach("relay.amqp.after-mark")
        case .kafka: Failpoints.reach("relay.kafka.after-mark")
        }
    }
}

extension RelayWindow.Call {
    fileprivate var subjects: [String] { rows.map(\.message.envelope.subject) }
}
