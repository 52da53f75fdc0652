import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why a request got no usable reply.
public struct HTTPFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The closed set of reasons; the raw values are stable and may be stored and counted.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The host's name has no address.
        case dnsError = "dns_error"
        /// Nobody listens there.
        case connectionRefused = "connection_refused"
        /// The connection could not be made in time.
        case connectTimeout = "connect_timeout"
        /// There is no way to the host.
        case unreachable
        /// The TLS handshake failed: certificate, name or protocol. TLS that breaks later is `connectionReset`.
        case tlsError = "tls_error"
        /// The connection broke while it was in use.
        case connectionReset = "connection_reset"
        /// The whole exchange took longer than its deadline.
        case timeout
        /// The reply is not HTTP.
        case protocolError = "http_protocol_error"
        /// The reply's body is larger than allowed.
        case responseTooLarge = "response_too_large"
        /// The address, method or headers cannot be sent.
        case invalidRequest = "invalid_request"
        /// The task was cancelled or the sender shut down.
        case cancelled
        /// Anything else.
        case other
    }

    /// The reason.
    public var code: Code
    /// A short technical note without addresses' credentials or bodies, for logs.
    public var detail: String

    /// Creates a failure.
    public init(_ code: Code, _ detail: String = "") {
        self.code = code
        self.detail = String(detail.prefix(200))
    }

    /// True when no byte of the request can have reached an HTTP server, so that it surely had no effect.
    ///
    /// False means *unknown*: the server may have done what it was asked.
    public var wasNotSent: Bool {
        switch code {
        case .dnsError, .connectionRefused, .connectTimeout, .unreachable, .tlsError, .invalidRequest: true
        case .connectionReset, .timeout, .protocolError, .responseTooLarge, .cancelled, .other: false
        }
    }

    /// `code: detail`.
    public var description: String { detail.isEmpty ? code.rawValue : "\(code.rawValue): \(detail)" }

    /// Sorts any error of the client and its layers into the closed set.
    init(_ error: any Error) {
        switch error {
        case let failure as HTTPFailure: self = failure
        case let error as HTTPClientError: self = Self.sort(error)
        case let error as NIOConnectionError: self = Self.sort(error)
        case let error as IOError: self = Self.sort(errno: error.errnoCode)
        case let error as HTTPParserError: self.init(.protocolError, "\(error)")
        case let error as NIOSSLError: self = Self.sort(error)
        case let error as NIOSSLExtraError: self = Self.sort(error)
        case is BoringSSLError: self.init(.connectionReset, String(describing: error))
        case is NIOTooManyBytesError: self.init(.responseTooLarge)
        case let error as ChannelError: self = Self.sort(error)
        case is CancellationError: self.init(.cancelled)
        default: self.init(.other, String(describing: type(of: error)))
        }
    }

    private static func sort(_ error: HTTPClientError) -> HTTPFailure {
        let note = error.shortDescription
        switch error {
        case .deadlineExceeded, .readTimeout, .writeTimeout: return HTTPFailure(.timeout, note)
        case .connectTimeout, .getConnectionFromPoolTimeout: return HTTPFailure(.connectTimeout, note)
        case .tlsHandshakeTimeout: return HTTPFailure(.tlsError, note)
        case .remoteConnectionClosed, .uncleanShutdown: return HTTPFailure(.connectionReset, note)
        case .cancelled, .alreadyShutdown, .requestStreamCancelled: return HTTPFailure(.cancelled, note)
        case .invalidURL, .emptyHost, .emptyScheme, .missingSocketPath, .contentLengthMissing,
            .bodyLengthMismatch, .traceRequestWithBody:
            return HTTPFailure(.invalidRequest, note)
        default:
            // Some errors carry values and cannot be matched as constants: they tell by their description.
            if note.hasPrefix("Invalid header") || note.hasPrefix("Unsupported scheme")
                || note.contains("unsupportedScheme")
            {
                return HTTPFailure(.invalidRequest, note)
            }
            return HTTPFailure(.protocolError, note)
        }
    }

    /// Only what ends a handshake has surely come before the request. A damaged record or an end without `close_notify` may come after
    /// it, and then says nothing about whether the request had an effect.
    private static func sort(_ error: NIOSSLError) -> HTTPFailure {
        switch error {
        case .handshakeFailed, .noCertificateToValidate, .unableToValidateCertificate:
            HTTPFailure(.tlsError, String(describing: error))
        default: HTTPFailure(.connectionReset, String(describing: error))
        }
    }

    private static func sort(_ error: NIOSSLExtraError) -> HTTPFailure {
        switch error {
        case .failedToValidateHostname, .serverHostnameImpossibleToMatch, .cannotUseIPAddressInSNI, .invalidSNIHostname:
            HTTPFailure(.tlsError, String(describing: error))
        default: HTTPFailure(.connectionReset, String(describing: error))
        }
    }

    private static func sort(_ error: NIOConnectionError) -> HTTPFailure {
        if error.connectionErrors.isEmpty { return HTTPFailure(.dnsError) }
        let failures = error.connectionErrors.map { attempt in
            // A connection that was never made has carried nothing.
            let failure = HTTPFailure(attempt.error)
            return failure.code == .timeout ? HTTPFailure(.connectTimeout, failure.detail) : failure
        }
        // Several addresses were tried; the first reason that says more than "other" stands for all.
        return failures.first { $0.code != .other } ?? HTTPFailure(.connectionRefused)
    }

    private static func sort(errno code: CInt) -> HTTPFailure {
        switch code {
        case ECONNREFUSED: HTTPFailure(.connectionRefused)
        case ECONNRESET, EPIPE, ECONNABORTED, ENOTCONN: HTTPFailure(.connectionReset)
        case EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EACCES, EPERM: HTTPFailure(.unreachable)
        // Also what a connection ends with that was in use and is answered no more.
        case ETIMEDOUT: HTTPFailure(.timeout)
        default: HTTPFailure(.other, "errno \(code)")
        }
    }

    private static func sort(_ error: ChannelError) -> HTTPFailure {
        switch error {
        case .connectTimeout: HTTPFailure(.connectTimeout)
        case .ioOnClosedChannel, .alreadyClosed, .eof, .inputClosed, .outputClosed: HTTPFailure(.connectionReset)
        default: HTTPFailure(.other, "channel error")
        }
    }
}
