import Glibc

/// A port of 127.0.0.1 at which nobody listens, and which nobody else gets meanwhile: bound, but never listened on.
///
/// The port of a server that was closed would be handed to the next test's server, and a connection to it be accepted.
final class ReservedPort {
    let number: UInt16
    private let descriptor: Int32

    init() throws { (descriptor, number) = try Self.bound() }

    /// A socket of its own, bound to a free port.
    static func bound() throws -> (descriptor: Int32, port: UInt16) {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                let bound = bind(socket, pointer, length)
                return bound == 0 ? getsockname(socket, pointer, &length) : bound
            }
        }
        guard code == 0 else { throw NotReserved(errno: errno) }
        return (socket, UInt16(bigEndian: address.sin_port))
    }

    static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = port.bigEndian
        return address
    }

    deinit { close(descriptor) }

    struct NotReserved: Error {
        let errno: Int32
    }
}
