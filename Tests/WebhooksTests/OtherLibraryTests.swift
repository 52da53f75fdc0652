import Crypto
import Foundation
import Testing

@testable import Webhooks

/// Ours signs with libcrypto; a library that shares no code with it agrees (`v1` with it: docs/webhooks/Verify.swift).
@Suite struct OtherLibraryTests {
    @Test func swiftCryptoAcceptsOurEd25519SignaturesAndWeItsOwn() throws {
        for length in [0, 1, 31, 1000] {
            let content = [UInt8](repeating: 0xA5, count: length)
            let ours = WebhookSigningKey.generate()
            let signature = try #require(ours.signature(for: content))
            let theirs = try Curve25519.Signing.PrivateKey(rawRepresentation: ours.seed)
            #expect([UInt8](theirs.publicKey.rawRepresentation) == ours.publicKey.raw)
            #expect(theirs.publicKey.isValidSignature(signature, for: content))
            #expect(ours.publicKey.accepts([UInt8](try theirs.signature(for: content)), for: content))
            #expect(!ours.publicKey.accepts([UInt8](try theirs.signature(for: content + [0])), for: content))
        }
    }
}
