import CCrypto

/// What all calls into libcrypto share.
enum Library {
    /// The algorithm, looked up once. Unsafe only to the compiler: the runtime's lock of a `static let` lets one thread write it, nobody frees
    /// it, and libcrypto's objects of this kind may be used by any thread (EVP_MD_fetch(3)).
    static nonisolated(unsafe) let sha256: OpaquePointer = {
        // Threads may still hash while the process exits. Where we are the first to use libcrypto, it is not taken from under them.
        OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
        return some(EVP_MD_fetch(nil, "SHA256", nil))
    }()

    /// For calls that fail only when memory is out, or when the library was built or configured without the algorithm: there is no way
    /// to go on. No input reaches this: lengths are checked before. Not `precondition`, which says nothing in a release build.
    static func require(_ result: Int32) {
        guard result == 1 else { fatalError(sentence) }
    }

    /// The same for calls that make something.
    static func some<Value>(_ value: Value?) -> Value {
        guard let value else { fatalError(sentence) }
        return value
    }

    private static let sentence =
        "libcrypto cannot do what is asked of it: it has no memory, or it was built or configured without SHA-256 or Ed25519."
}
