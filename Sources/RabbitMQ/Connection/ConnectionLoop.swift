import Logging

/// What a publisher or a consumer does on its connection. All calls come from the one thread that owns the connection.
protocol ConnectionRole: AnyObject {
    /// Opens channels, declares, subscribes.
    func setUp(_ link: Link) throws(RabbitMQError)
    /// Works until a graceful or immediate end is wanted; throws when the connection or a channel is lost.
    func serve(_ link: Link) throws(RabbitMQError)
    /// The connection is gone.
    func lost()
    /// Not connected: answers commands. Returns when to be called again at the latest.
    func idle(at now: ContinuousClock.Instant) -> ContinuousClock.Instant?
    /// Whether a graceful end can be reached without a connection.
    var canEndWhileDisconnected: Bool { get }
    /// The last call.
    func finish()
}

/// Connects, serves, reconnects with backoff, until it is told to end. Runs on its own thread.
///
/// `connecting → ready → (lost) → waiting → connecting`; the failures in a row count from 0 again after a connection that lasted
/// longer than the backoff's cap, so that a broker which accepts and throws out at once is not hammered.
struct ConnectionLoop {
    let configuration: RabbitMQConfiguration
    let connectionName: String
    let control: ConnectionControl
    let maximumBodySize: Int
    let logger: Logger
    let observer: (any RabbitMQObserver)?
    let random: @Sendable () -> Double

    func run(_ role: some ConnectionRole) {
        var failures = 0
        while !shouldEnd(role) {
            publish(.connecting(attempt: failures + 1))
            var readySince: ContinuousClock.Instant?
            do throws(RabbitMQError) {
                let link = try Link(
                    configuration,
                    connectionName: connectionName,
                    control: control,
                    maximumBodySize: maximumBodySize
                )
                do throws(RabbitMQError) {
                    try role.setUp(link)
                    readySince = .now
                    publish(.ready)
                    logger.info("RabbitMQ connection ready", metadata: metadata)
                    try role.serve(link)
                } catch {
                    // Where the connection itself still works, the broker is told, so that it need not guess from a reset.
                    if error.code != .connectionClosed, error.code != .heartbeatTimeout {
                        link.close(patience: .milliseconds(200))
                    }
                    throw error
                }
                link.close(patience: control.ending == .immediate ? .milliseconds(500) : .seconds(1))
                break
            } catch {
                role.lost()
                guard !shouldEnd(role) else { break }
                if let readySince, ContinuousClock.now - readySince > configuration.backoff.cap { failures = 0 }
                failures += 1
                let delay = configuration.backoff.delay(afterFailures: failures, random: random())
                publish(.disconnected(error, retryIn: delay))
                logger.warning(
                    "RabbitMQ connection lost",
                    metadata: metadata.merging(
                        ["error": "\(error)", "retry.in.ms": "\(delay.pollMilliseconds)", "failures": "\(failures)"]
                    ) { $1 }
                )
                wait(delay, role)
            }
        }
        role.lost()
        role.finish()
        publish(.stopped)
    }

    private func wait(_ delay: Duration, _ role: some ConnectionRole) {
        let end = ContinuousClock.now + delay
        while true {
            let now = ContinuousClock.now
            let next = role.idle(at: now)
            guard now < end, !shouldEnd(role) else { return }
            control.wake.wait(timeout: min(end, next ?? end) - now)
        }
    }

    private func shouldEnd(_ role: some ConnectionRole) -> Bool {
        switch control.ending {
        case .no: return false
        case .graceful: return role.canEndWhileDisconnected
        case .immediate: return true
        }
    }

    private func publish(_ state: RabbitMQConnectionState) {
        control.publish(state)
        observer?.stateChanged(state, connection: connectionName)
    }

    private var metadata: Logger.Metadata {
        ["rabbitmq.connection": "\(connectionName)", "server.address": "\(configuration.host):\(configuration.port)"]
    }
}
