/// Which addresses may be called. What a person can enter as an endpoint must not reach the inside of a network.
///
/// Checked on the addresses that a name resolves to, at every attempt, and the connection is made to exactly the address that
/// was checked. One denied address among several denies the name.
public struct AddressPolicy: Sendable {
    /// Blocks that may be called although they are denied by default. Link-local and metadata addresses never may.
    public let allowed: [AddressBlock]
    /// Whether only `https` is accepted.
    public let requiresTLS: Bool

    /// Makes a policy; by default nothing that is denied is allowed.
    public init(allowed: [AddressBlock] = [], requiresTLS: Bool = false) {
        self.allowed = allowed
        self.requiresTLS = requiresTLS
    }

    /// Reads a list of blocks separated by commas.
    /// - Returns: `nil` when one of them is no block.
    public static func blocks(_ text: String) -> [AddressBlock]? {
        var blocks: [AddressBlock] = []
        for part in text.split(separator: ",") {
            let trimmed = part.filter { $0 != " " && $0 != "\t" }
            guard !trimmed.isEmpty else { continue }
            guard let block = AddressBlock(trimmed) else { return nil }
            blocks.append(block)
        }
        return blocks
    }

    /// Whether an address may be called.
    public func permits(_ address: IPAddress) -> Bool {
        if Self.always.contains(where: { $0.contains(address) }) { return false }
        if allowed.contains(where: { $0.contains(address) }) { return true }
        return !Self.denied.contains { $0.contains(address) }
    }

    /// Link-local (with the metadata services of clouds), multicast and unspecified: no allow-list opens these.
    static let always: [AddressBlock] = [
        "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "224.0.0.0/4", "255.255.255.255/32", "0.0.0.0/8",
        "ff00::/8", "::/128",
    ].compactMap(AddressBlock.init)

    /// Denied unless allowed: the special-purpose registries of IANA (RFC 6890 and successors).
    static let denied: [AddressBlock] = [
        "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
        "::1/128", "::/96", "fc00::/7", "fec0::/10", "2001:db8::/32", "3fff::/20", "100::/64", "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16", "5f00::/16", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28",
    ].compactMap(AddressBlock.init)
}
