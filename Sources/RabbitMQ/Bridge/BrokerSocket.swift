import CRabbitMQ
import Glibc

/// A logged-in connection of rabbitmq-c, of which the socket is then driven without blocking.
///
/// rabbitmq-c connects, authenticates and negotiates. Its send functions are not used afterwards: they wait without a limit
/// when the socket is full, three system calls per publish, and so could neither keep the heartbeat nor notice `stop()`.
///
/// Owned by one thread (an `amqp_connection_state_t` may not be used by two). The deinitialiser closes the socket.
final class BrokerSocket {
    private let state: amqp_connection_state_t
    private let descriptor: Int32
    /// The largest frame, as agreed on.
    let maximumFrameSize: Int
    /// The heartbeat, as agreed on; zero when off.
    let heartbeat: Duration

    /// Connects and logs in. Blocks, at most twice `configuration.connectTimeout`.
    init(_ configuration: RabbitMQConfiguration, connectionName: String) throws(RabbitMQError) {
        guard let state = amqp_new_connection() else {
            throw RabbitMQError(.connectFailed, "no memory for a connection")
        }
        do throws(RabbitMQError) {
            descriptor = try Self.connect(state, configuration, connectionName)
        } catch {
            _ = amqp_destroy_connection(state)
            throw error
        }
        self.state = state
        maximumFrameSize = max(Int(amqp_get_frame_max(state)), 4_096)
        heartbeat = .seconds(Int(amqp_get_heartbeat(state)))
    }

    deinit { _ = amqp_destroy_connection(state) }

    private static func connect(
        _ state: amqp_connection_state_t,
        _ configuration: RabbitMQConfiguration,
        _ connectionName: String
    ) throws(RabbitMQError) -> Int32 {
        guard let socket = amqp_tcp_socket_new(state) else {
            throw RabbitMQError(.connectFailed, "no memory for a socket")
        }
        let (seconds, attoseconds) = max(configuration.connectTimeout, .milliseconds(1)).components
        var timeout = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        let opened = amqp_socket_open_noblock(socket, configuration.host, Int32(configuration.port), &timeout)
        guard opened == Int32(AMQP_STATUS_OK.rawValue) else {
            throw RabbitMQError(
                .connectFailed,
                "cannot reach \(configuration.host):\(configuration.port): \(text(of: opened))"
            )
        }
        _ = amqp_set_handshake_timeout(state, &timeout)
        let heartbeat = min(max(configuration.heartbeat.components.seconds, 1), 60)
        let reply = crabbitmq_login(
            state,
            configuration.virtualHost,
            0,
            Int32(min(max(configuration.maximumFrameSize, 4_096), 1_048_576)),
            Int32(heartbeat),
            connectionName,
            configuration.user,
            configuration.password
        )
        try check(reply, configuration)
        // What came right behind the login would be lost for our own frame decoder. The broker speaks only when asked, apart
        // from heartbeats that are seconds away; if it ever does not, a new attempt costs nothing.
        guard amqp_data_in_buffer(state) == 0, amqp_frames_enqueued(state) == 0 else {
            throw .violation("the broker sent frames before they were asked for")
        }
        let descriptor = amqp_get_sockfd(state)
        guard descriptor >= 0, fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0 else {
            throw RabbitMQError(.connectFailed, "the socket cannot be used")
        }
        return descriptor
    }

    private static func check(
        _ reply: amqp_rpc_reply_t,
        _ configuration: RabbitMQConfiguration
    ) throws(RabbitMQError) {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            if reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD, let decoded = reply.reply.decoded {
                let close = decoded.load(as: amqp_connection_close_t.self)
                let message = String(close.reply_text)
                // Reply code 403 during the login means the credentials (capability authentication_failure_close).
                if close.reply_code == 403 {
                    throw RabbitMQError(.authenticationFailed, message, replyCode: close.reply_code)
                }
                throw .closed(replyCode: close.reply_code, text: message, wasConnection: true)
            }
            throw RabbitMQError(.connectFailed, "the broker refused the login")
        default:
            let message = text(of: reply.library_error)
            throw RabbitMQError(
                .connectFailed,
                "login at \(configuration.host):\(configuration.port) failed: \(message)"
            )
        }
    }

    private static func text(of status: Int32) -> String {
        guard let text = amqp_error_string2(status) else { return "error \(status)" }
        return String(cString: text)
    }

    /// What a read or write achieved.
    enum Transfer {
        case bytes(Int)
        case wouldBlock
        case ended(String)
    }

    /// Reads what is there.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended("the broker closed the connection") }
            if errno == EINTR { continue }
            if errno == EAGAIN || errno == EWOULDBLOCK { return .wouldBlock }
            return .ended(Self.systemError("reading failed", errno))
        }
    }

    /// Writes what fits.
    func send(_ buffer: UnsafeRawBufferPointer) -> Transfer {
        while true {
            let count = Glibc.send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
            if count >= 0 { return .bytes(count) }
            if errno == EINTR { continue }
            if errno == EAGAIN || errno == EWOULDBLOCK { return .wouldBlock }
            return .ended(Self.systemError("writing failed", errno))
        }
    }

    /// Waits until the socket can be read, or written when `forWriting`, or the wake-up descriptor is signalled, or the time
    /// is over. Clears the wake-up.
    func wait(_ wake: WakeDescriptor, forWriting: Bool, timeout: Duration) {
        var descriptors = [
            pollfd(fd: descriptor, events: Int16(POLLIN) | (forWriting ? Int16(POLLOUT) : 0), revents: 0),
            pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&descriptors, nfds_t(descriptors.count), timeout.pollMilliseconds)
        if descriptors[1].revents != 0 { wake.clear() }
    }

    private static func systemError(_ what: String, _ code: Int32) -> String {
        guard let text = strerror(code) else { return "\(what): error \(code)" }
        return "\(what): \(String(cString: text))"
    }
}

extension Duration {
    /// For `poll`: whole milliseconds, rounded up so that a deadline is never polled for in a busy loop; at most a minute.
    var pollMilliseconds: Int32 {
        guard self > .zero else { return 0 }
        let limited = min(self, .seconds(60))
        let (seconds, attoseconds) = limited.components
        return Int32(seconds) * 1_000 + Int32((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
