#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Finds the addresses of a host.
public protocol HostResolver: Sendable {
    /// All addresses of a host, in the order in which they should be tried; empty when it has none.
    ///
    /// Called for each attempt; nothing may be remembered between calls, though calls at the same time may share an answer. Returns
    /// when it returns: the caller has a deadline of its own, and cancels the task when that has passed.
    func addresses(of host: String) async -> [IPAddress]
}

/// Asks the operating system (`getaddrinfo`), on threads of its own.
public struct SystemResolver: HostResolver {
    /// The most lookups that block threads at the same time, one per host; more wait.
    private static let lookups = SharedLookups(slots: 32) { SystemResolver.lookUp($0, numericOnly: false) }

    /// Makes the resolver.
    public init() {}

    public func addresses(of host: String) async -> [IPAddress] {
        if let literal = IPAddress(host) { return [literal] }
        return await Self.lookups.addresses(of: host)
    }

    /// The address that a spelling without a name means to the operating system: `127.1`, `0x7f000001`, `2130706433` …
    ///
    /// Never asks the network. `localhost` and names under it count as 127.0.0.1.
    public static func literal(_ host: String) -> IPAddress? {
        if let address = IPAddress(host) { return address }
        let name = host.lowercased()
        let bare = name.hasSuffix(".") ? String(name.dropLast()) : name
        if bare == "localhost" || bare.hasSuffix(".localhost") { return IPAddress("127.0.0.1") }
        return lookUp(bare, numericOnly: true).first
    }

    private static func lookUp(_ host: String, numericOnly: Bool) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        hints.ai_flags = numericOnly ? AI_NUMERICHOST : 0
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        var next = list
        while let entry = next, found.count < 64 {
            next = entry.pointee.ai_next
            guard let address = entry.pointee.ai_addr else { continue }
            let bytes: [UInt8]
            switch Int32(address.pointee.sa_family) {
            case AF_INET:
                bytes = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    withUnsafeBytes(of: $0.pointee.sin_addr) { Array($0) }
                }
            case AF_INET6:
                bytes = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) }
                }
            default: continue
            }
            if let address = IPAddress(bytes: bytes), !found.contains(address) { found.append(address) }
        }
        return found
    }
}
