import CCrypto

/// What all calls into libcrypto share.
enum Library {
    /// The algorithm, looked up once; libcrypto's objects of this kind are for any thread (EVP_MD_fetch(3)).
    static nonisolated(unsafe) let sha256: OpaquePointer = some(EVP_MD_fetch(nil, "SHA256", nil))

    /// Calls that fail only when memory is out, or when the library was built or configured without the algorithm: there is no way to go on.
    static func require(_ result: Int32) {
        precondition(result == 1, "libcrypto cannot hash with SHA-256. Is it a build without it?")
    }

    static func some(_ pointer: OpaquePointer?) -> OpaquePointer {
        guard let pointer else { preconditionFailure("libcrypto has no memory, or no SHA-256.") }
        return pointer
    }
}
