import CCrypto

/// Signatures with Ed25519 (RFC 8032): who has the seed signs, and who has the public key verifies.
public enum Ed25519 {
    /// The length of a seed in bytes.
    public static let seedSize = 32
    /// The length of a public key in bytes.
    public static let publicKeySize = 32
    /// The length of a signature in bytes.
    public static let signatureSize = 64

    /// The public key that belongs to a seed; `nil` unless the seed has ``seedSize`` bytes.
    public static func publicKey(ofSeed seed: [UInt8]) -> [UInt8]? {
        guard seed.count == seedSize else { return nil }
        let bytes: [UInt8]? = withKey(EVP_PKEY_new_raw_private_key, seed) { key in
            var bytes = [UInt8](repeating: 0, count: publicKeySize)
            var count = bytes.count
            return EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1 && count == publicKeySize ? bytes : nil
        }
        // Every seed has a key: it is the library that has none.
        return Library.some(bytes)
    }

    /// The signature of a message; `nil` unless the seed has ``seedSize`` bytes.
    public static func signature(of message: [UInt8], seed: [UInt8]) -> [UInt8]? {
        guard seed.count == seedSize else { return nil }
        let signature: [UInt8]? = withKey(EVP_PKEY_new_raw_private_key, seed) { key in
            withContext { context in
                var signature = [UInt8](repeating: 0, count: signatureSize)
                var count = signature.count
                guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
                    EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == signatureSize
                else { return nil }
                return signature
            }
        }
        return Library.some(signature)
    }

    /// Whether the signature is the message's. False for anything that is no signature or no public key.
    public static func isValid(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
        guard signature.count == signatureSize, publicKey.count == publicKeySize else { return false }
        return withKey(EVP_PKEY_new_raw_public_key, publicKey) { key in
            withContext { context in
                guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return nil }
                return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
            }
        } ?? false
    }

    private typealias Reader = (Int32, OpaquePointer?, UnsafePointer<UInt8>?, Int) -> OpaquePointer?

    private static func withKey<Value>(
        _ read: Reader,
        _ bytes: [UInt8],
        _ body: (OpaquePointer) -> Value?
    ) -> Value? {
        guard let key = read(EVP_PKEY_ED25519, nil, bytes, bytes.count) else { return nil }
        defer { EVP_PKEY_free(key) }
        return body(key)
    }

    private static func withContext<Value>(_ body: (OpaquePointer) -> Value?) -> Value? {
        let context = Library.some(EVP_MD_CTX_new())
        defer { EVP_MD_CTX_free(context) }
        return body(context)
    }
}
