import NIOCore
import NIOHTTP1
import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The TLS handshake came to no end, for a reason of either side: nothing of the request was sent.
struct HandshakeFailed: Error {
    let reason: any Error
}

/// Sorts errors of the network's layers into the closed set of faults.
enum FaultSorting {
    static func sort(_ error: any Error) -> (fault: AttemptFault, detail: String) {
        switch error {
        case is DeadlinePassed: (.timeout, "the deadline passed")
        case is HeadTooLarge: (.tooLarge, "the head of the answer is too large")
        case let error as HandshakeFailed: (.tls, String("\(error.reason)".prefix(300)))
        case is CancellationError: (.interrupted, "the sender stopped")
        case let error as IOError: (sort(errno: error.errnoCode), "errno \(error.errnoCode)")
        case let error as ChannelError: sort(error)
        case is HTTPParserError: (.http, "\(error)")
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: (.tls, String("\(error)".prefix(300)))
        default: (.reset, String(describing: type(of: error)))
        }
    }

    private static func sort(_ error: ChannelError) -> (fault: AttemptFault, detail: String) {
        switch error {
        case .connectTimeout: (.timeout, "no connection in time")
        case .ioOnClosedChannel, .alreadyClosed, .eof, .inputClosed, .outputClosed:
            (.reset, "the connection was closed")
        default: (.reset, "channel error")
        }
    }

    private static func sort(errno code: CInt) -> AttemptFault {
        switch code {
        case ECONNREFUSED: .refused
        case EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EACCES, EPERM, EINVAL, EAFNOSUPPORT: .unreachable
        case ETIMEDOUT: .timeout
        case EMFILE, ENFILE: .unreachable
        default: .reset
        }
    }
}
