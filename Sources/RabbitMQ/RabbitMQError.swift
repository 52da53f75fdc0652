/// Why a connection, a channel or an administrative call failed.
///
/// The code is for programs, the message for people. Messages never contain passwords or message bodies.
public struct RabbitMQError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it was.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String, Sendable {
            case connectFailed, authenticationFailed, accessRefused, topologyMismatch, notFound, resourceLocked
            case connectionClosed, channelClosed, heartbeatTimeout, consumerCancelled, protocolViolation, timeout
            case invalidArgument, stopped
        }
        private let kind: Kind

        /// The TCP connection or the protocol greeting did not succeed.
        public static let connectFailed = Code(kind: .connectFailed)
        /// The broker did not accept the user name or the password.
        public static let authenticationFailed = Code(kind: .authenticationFailed)
        /// The user may not do this, or may not enter the virtual host (reply code 403 or 530).
        public static let accessRefused = Code(kind: .accessRefused)
        /// A queue or an exchange exists with other arguments (reply code 406, PRECONDITION_FAILED).
        public static let topologyMismatch = Code(kind: .topologyMismatch)
        /// A queue or an exchange does not exist (reply code 404).
        public static let notFound = Code(kind: .notFound)
        /// Another connection owns the queue exclusively (reply code 405).
        public static let resourceLocked = Code(kind: .resourceLocked)
        /// The connection ended: by the peer, by the network, or because the broker closed it.
        public static let connectionClosed = Code(kind: .connectionClosed)
        /// The broker closed a channel for a reason that has no code of its own here.
        public static let channelClosed = Code(kind: .channelClosed)
        /// Nothing was heard from the broker for two heartbeats.
        public static let heartbeatTimeout = Code(kind: .heartbeatTimeout)
        /// The broker cancelled a consumer, for example because its queue was deleted.
        public static let consumerCancelled = Code(kind: .consumerCancelled)
        /// The peer sent something that the protocol does not allow here.
        public static let protocolViolation = Code(kind: .protocolViolation)
        /// The broker did not answer a request in time.
        public static let timeout = Code(kind: .timeout)
        /// A name, a table or a size given by the caller cannot be expressed in the protocol.
        public static let invalidArgument = Code(kind: .invalidArgument)
        /// `stop()` was called or the surrounding task was cancelled.
        public static let stopped = Code(kind: .stopped)

        /// The name of the code, for logs and metrics; there are few.
        public var description: String { kind.rawValue }
    }

    /// The kind of failure.
    public let code: Code
    /// One sentence for people; contains the broker's own text where there was one.
    public let message: String
    /// The broker's AMQP reply code, where it sent one.
    public let replyCode: UInt16?

    /// Makes an error.
    public init(_ code: Code, _ message: String, replyCode: UInt16? = nil) {
        self.code = code
        self.message = message
        self.replyCode = replyCode
    }

    /// Code, reply code and message.
    public var description: String {
        if let replyCode { return "\(code) (\(replyCode)): \(message)" }
        return "\(code): \(message)"
    }

    /// The error for a `connection.close` or `channel.close` with this reply code (AMQP 0-9-1, section 1.2).
    static func closed(replyCode: UInt16, text: String, wasConnection: Bool) -> RabbitMQError {
        let code: Code
        switch replyCode {
        case 403, 530: code = .accessRefused
        case 404: code = .notFound
        case 405: code = .resourceLocked
        case 406: code = .topologyMismatch
        default: code = wasConnection ? .connectionClosed : .channelClosed
        }
        return RabbitMQError(code, text, replyCode: replyCode)
    }

    static func violation(_ message: String) -> RabbitMQError { RabbitMQError(.protocolViolation, message) }
}
