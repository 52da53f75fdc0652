import HTTPKit
import Kafka
import RabbitMQ

/// Shows the state of an AMQP connection on the readiness board.
struct AMQPReadiness: RabbitMQObserver {
    let dependency: String
    let board: ReadinessBoard

    init(dependency: String, board: ReadinessBoard) {
        self.dependency = dependency
        self.board = board
        board.notReady(dependency, "not connected yet")
    }

    func stateChanged(_ state: RabbitMQConnectionState, connection: String) {
        switch state {
        case .ready: board.ready(dependency)
        case .blocked(let reason): board.notReady(dependency, "the broker blocks publishing: \(reason)")
        case .connecting: board.notReady(dependency, "connecting")
        case .disconnected(let error, _): board.notReady(dependency, error.description)
        case .idle, .stopped: board.notReady(dependency, "stopped")
        }
    }
}

/// Shows on the readiness board whether the event log can be reached.
struct KafkaReadiness: KafkaObserver {
    let dependency: String
    let board: ReadinessBoard

    init(dependency: String, board: ReadinessBoard) {
        self.dependency = dependency
        self.board = board
        board.notReady(dependency, "not connected yet")
    }

    func brokerStateChanged(_ state: KafkaBrokerState, client: String) {
        switch state {
        case .up: board.ready(dependency)
        case .down: board.notReady(dependency, "the event log cannot be reached")
        case .unknown: board.notReady(dependency, "not connected yet")
        }
    }
}
