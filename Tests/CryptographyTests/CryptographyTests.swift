import Cryptography
import Testing

/// Vectors that were published with the algorithms.
@Suite struct CryptographyTests {
    private func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }

    // MARK: SHA-256 (FIPS 180-4, examples)

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func digests(_ text: String, _ digest: String) {
        #expect(SHA256.hash(Array(text.utf8)).hexadecimal == digest)
        var inParts = SHA256()
        for part in text.split(separator: "b", omittingEmptySubsequences: false).enumerated() {
            inParts.update(Array(((part.offset == 0 ? "" : "b") + part.element).utf8))
        }
        #expect(inParts.finalize().hexadecimal == digest)
    }

    // MARK: HMAC (RFC 4231, cases 1, 2 and 6)

    static let codes: [(key: [UInt8], message: String, code: String)] = [
        (
            Array(repeating: 0x0B, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            Array(repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        ([], "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ]

    @Test(arguments: codes)
    func codesOfMessages(_ vector: (key: [UInt8], message: String, code: String)) {
        let message = Array(vector.message.utf8)
        let code = bytes(vector.code)
        #expect(HMACSHA256.code(for: message, key: vector.key) == code)
        #expect(HMACSHA256.isValid(code, for: message, key: vector.key))
        #expect(!HMACSHA256.isValid(code, for: message + [0], key: vector.key))
        #expect(!HMACSHA256.isValid(code, for: message, key: vector.key + [1]))
    }

    @Test func aCodeThatIsShorterLongerOrOneBitOffIsRefused() {
        let code = HMACSHA256.code(for: [1, 2, 3], key: [4])
        for index in code.indices {
            var other = code
            other[index] ^= 1
            #expect(!HMACSHA256.isValid(other, for: [1, 2, 3], key: [4]))
        }
        for other in [[], Array(code.dropLast()), code + [0]] {
            #expect(!HMACSHA256.isValid(other, for: [1, 2, 3], key: [4]))
        }
    }

    // MARK: Ed25519 (RFC 8032, section 7.1, tests 1 to 3)

    static let signatures: [(seed: String, key: String, message: String, signature: String)] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ]

    @Test(arguments: signatures)
    func signaturesOfMessages(_ vector: (seed: String, key: String, message: String, signature: String)) {
        let message = bytes(vector.message)
        let signature = bytes(vector.signature)
        let key = bytes(vector.key)
        #expect(Ed25519.publicKey(ofSeed: bytes(vector.seed)) == key)
        #expect(Ed25519.signature(of: message, seed: bytes(vector.seed)) == signature)
        #expect(Ed25519.isValid(signature, of: message, publicKey: key))
        #expect(!Ed25519.isValid(signature, of: message + [0], publicKey: key))
        var other = signature
        other[0] ^= 1
        #expect(!Ed25519.isValid(other, of: message, publicKey: key))
    }

    /// What comes from outside has any length and any bytes.
    @Test func anythingElseIsRefusedWithoutAFault() {
        #expect(Ed25519.publicKey(ofSeed: []) == nil)
        #expect(Ed25519.signature(of: [1], seed: [UInt8](repeating: 1, count: 33)) == nil)
        let seed = [UInt8](repeating: 7, count: 32)
        guard let key = Ed25519.publicKey(ofSeed: seed), let signature = Ed25519.signature(of: [1], seed: seed) else {
            Issue.record("no key")
            return
        }
        for wrong in [[], [0], Array(signature.dropLast()), signature + [0], [UInt8](repeating: 0xFF, count: 64)] {
            #expect(!Ed25519.isValid(wrong, of: [1], publicKey: key))
        }
        for wrong in [[], Array(key.dropLast()), key + [0], [UInt8](repeating: 0xFF, count: 32)] {
            #expect(!Ed25519.isValid(signature, of: [1], publicKey: wrong))
        }
    }

    @Test func randomBytesAreNotTheSameTwice() {
        #expect(randomBytes(32).count == 32 && randomBytes(32) != randomBytes(32) && randomBytes(0) == [])
    }
}
