import CCrypto

/// SHA-256 (FIPS 180-4) over bytes that come in parts. One task at a time.
public struct SHA256: ~Copyable {
    private let context: OpaquePointer

    /// Nothing has been hashed yet.
    public init() {
        context = Library.some(EVP_MD_CTX_new())
        Library.require(EVP_DigestInit_ex(context, Library.sha256, nil))
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Takes further bytes.
    public mutating func update(_ bytes: [UInt8]) {
        Library.require(EVP_DigestUpdate(context, bytes, bytes.count))
    }

    /// The digest of all bytes.
    public consuming func finalize() -> Digest {
        var bytes = [UInt8](repeating: 0, count: Digest.size)
        Library.require(EVP_DigestFinal_ex(context, &bytes, nil))
        return Digest(bytes: bytes)
    }

    /// The digest of bytes that are all there.
    public static func hash(_ bytes: [UInt8]) -> Digest {
        var result = [UInt8](repeating: 0, count: Digest.size)
        Library.require(EVP_Digest(bytes, bytes.count, &result, nil, Library.sha256, nil))
        return Digest(bytes: result)
    }

    /// What comes out.
    public struct Digest: Sendable, Hashable {
        /// Its length in bytes.
        public static let size = 32
        /// ``size`` bytes.
        public let bytes: [UInt8]

        /// 64 lower-case hexadecimal digits.
        public var hexadecimal: String {
            let digits = Array("0123456789abcdef".utf8)
            return String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
                for (index, byte) in bytes.enumerated() {
                    text[2 * index] = digits[Int(byte >> 4)]
                    text[2 * index + 1] = digits[Int(byte & 0x0F)]
                }
                return 2 * bytes.count
            }
        }
    }
}
