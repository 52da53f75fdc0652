import CCrypto

/// HMAC with SHA-256 (RFC 2104): who knows the key can make the code of a message, and nobody else.
public enum HMACSHA256 {
    /// The code of a message: 32 bytes.
    ///
    /// - Parameter key: up to 2 GiB; what is longer than 64 bytes is hashed first, as RFC 2104 says.
    public static func code(for message: [UInt8], key: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: SHA256.Digest.size)
        // To the library no bytes are no key at all. RFC 2104 fills a key up with zeros, so that one zero is the same as none.
        let key = key.isEmpty ? [0] : key
        Library.require(HMAC(Library.sha256, key, Int32(key.count), message, message.count, &code, nil) == nil ? 0 : 1)
        return code
    }

    /// Whether the code is the message's. Takes the same time wherever the two differ.
    public static func isValid(_ code: [UInt8], for message: [UInt8], key: [UInt8]) -> Bool {
        let right = self.code(for: message, key: key)
        return code.count == right.count && CRYPTO_memcmp(code, right, right.count) == 0
    }
}
