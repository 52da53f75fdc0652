import Glibc

/// A port of 127.0.0.1 at which nobody listens, and which nobody else gets meanwhile: bound, but never listened on.
///
/// The port of a server that was closed would be handed to the next test's server, and a connection to it be accepted.
final class ReservedPort {
    let number: UInt16
    private let descriptor: Int32

    init() throws {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        descriptor = socket
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var length = size
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                let bound = bind(socket, pointer, size)
                return bound == 0 ? getsockname(socket, pointer, &length) : bound
            }
        }
        guard code == 0 else { throw NotReserved(errno: errno) }
        number = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }

    struct NotReserved: Error {
        let errno: Int32
    }
}
