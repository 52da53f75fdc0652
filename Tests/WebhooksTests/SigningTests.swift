import Cryptography
import Messaging
import Testing

@testable import Webhooks

@Suite("Signing and verifying (Standard Webhooks, vectors V1 to V4)")
struct SigningTests {
    static let zeroTo31 = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    static let body2 = Array(
        #"{"type":"order.confirmed","timestamp":"2025-01-02T03:04:05.678Z","data":{"id":"ord_01","note":"café ☃"}}"#
            .utf8
    )

    private func verify(
        _ secret: String,
        id: String = "msg_0001",
        timestamp: String = "1700000000",
        _ signature: String,
        _ body: [UInt8],
        at seconds: Int64 = 1_700_000_000
    ) throws -> WebhookRejection.Code? {
        let verifier = WebhookVerifier(secrets: [try WebhookSecret(secret)])
        let headers = [("Webhook-Id", id), ("WEBHOOK-TIMESTAMP", timestamp), ("webhook-signature", signature)]
        switch verifier.verify(headers: headers, body: body, at: Timestamp(millisecondsSinceEpoch: seconds * 1000)) {
        case .success(let webhook):
            #expect(webhook.id == id)
            return nil
        case .failure(let rejection): return rejection.code
        }
    }

    @Test(arguments: [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", Int64(1_614_265_330),
            Array(#"{"test": 2432232314}"#.utf8), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        ),
        (zeroTo31, "msg_0001", 1_700_000_000, body2, "v1,CIGX/hKxsTsE8IG7S1m6dYNRg/3Zg5Q91mnB4Q/WOFg="),
        (zeroTo31, "msg_0001", 1_700_000_000, [], "v1,hOfIUkmI4GiUE6hkCRumt1O16Rxjn1aZen65qqSIeb8="),
    ])
    func vectors(_ secret: String, _ id: String, _ timestamp: Int64, _ body: [UInt8], _ expected: String) throws {
        let signer = WebhookSigner(secrets: [try WebhookSecret(secret)])
        #expect(signer.signatures(id: id, timestamp: timestamp, body: body) == expected)
        #expect(try verify(secret, id: id, timestamp: String(timestamp), expected, body, at: timestamp) == nil)
    }

    @Test func vector4Ed25519() throws {
        #expect(Self.body2.count == 107)
        let key = try #require(WebhookSigningKey(seed: Array(0...31)))
        #expect(key.publicKey.description == "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")
        let expected =
            "v1a,twSSrQIZhyvh/CJcKfdSOkh+xTUqosV0rgsMasKXdCoLECFv+miKTYNYt9e6Zp8a/kK6hQBEO4AxDksUa2PwCA=="
        #expect(
            WebhookSigner(secrets: [], signingKey: key).signatures(
                id: "msg_0001",
                timestamp: 1_700_000_000,
                body: Self.body2
            )
                == expected
        )
        let verifier = WebhookVerifier(secrets: [], publicKeys: [key.publicKey])
        let now = Timestamp(millisecondsSinceEpoch: 1_700_000_000_000)
        let result = verifier.verify(
            id: "msg_0001",
            timestamp: "1700000000",
            signatures: expected,
            body: Self.body2,
            at: now
        )
        #expect((try? result.get())?.id == "msg_0001")
        let again = try #require(WebhookSigningKey(key.text))
        #expect(again.publicKey == key.publicKey)
        #expect(WebhookSigningKey("whsk_" + "AAAA") == nil)
    }

    @Test func anyKeyOfARotationVerifies() throws {
        let old = WebhookSecret.generate()
        let new = WebhookSecret.generate()
        let header = WebhookSigner(secrets: [new, old]).signatures(id: "a", timestamp: 100, body: [1, 2, 3])
        #expect(header.split(separator: " ").count == 2)
        for secret in [old, new] {
            #expect(try verify(secret.text, id: "a", timestamp: "100", header, [1, 2, 3], at: 100) == nil)
        }
        #expect(
            try verify(WebhookSecret.generate().text, id: "a", timestamp: "100", header, [1, 2, 3], at: 100)
                == .mismatch
        )
    }

    @Test func everyTamperingIsFound() throws {
        let secret = try WebhookSecret(Self.zeroTo31)
        let good = WebhookSigner(secrets: [secret]).signatures(
            id: "msg_0001",
            timestamp: 1_700_000_000,
            body: Self.body2
        )
        #expect(try verify(Self.zeroTo31, good, Self.body2) == nil)
        for index in Self.body2.indices {
            var body = Self.body2
            body[index] ^= 1
            #expect(try verify(Self.zeroTo31, good, body) != nil)
        }
        #expect(try verify(Self.zeroTo31, id: "msg_0002", good, Self.body2) == .mismatch)
        #expect(try verify(Self.zeroTo31, timestamp: "1700000001", good, Self.body2) == .mismatch)
        #expect(try verify(Self.zeroTo31, "v1," + good.dropFirst(3).reversed(), Self.body2) != nil)
        #expect(try verify(Self.zeroTo31, "", Self.body2) == .noUsableSignature)
        #expect(try verify(Self.zeroTo31, "v2,abcd", Self.body2) == .noUsableSignature)
        #expect(try verify(Self.zeroTo31, "v1,abcd v9,x " + good, Self.body2) == nil)
        #expect(try verify(Self.zeroTo31, id: "a.b", good, Self.body2) == .invalidID)
        #expect(try verify(Self.zeroTo31, timestamp: "17e8", good, Self.body2) == .invalidTimestamp)
    }

    @Test func clocksMayDifferByFiveMinutes() throws {
        let good = WebhookSigner(secrets: [try WebhookSecret(Self.zeroTo31)])
            .signatures(id: "msg_0001", timestamp: 1_700_000_000, body: [])
        #expect(try verify(Self.zeroTo31, good, [], at: 1_700_000_300) == nil)
        #expect(try verify(Self.zeroTo31, good, [], at: 1_700_000_301) == .tooOld)
        #expect(try verify(Self.zeroTo31, good, [], at: 1_699_999_700) == nil)
        #expect(try verify(Self.zeroTo31, good, [], at: 1_699_999_699) == .tooNew)
    }

    @Test func missingAndRepeatedHeaders() throws {
        let verifier = WebhookVerifier(secrets: [.generate()])
        let now = Timestamp(millisecondsSinceEpoch: 0)
        func code(_ headers: [(name: String, value: String)]) -> WebhookRejection.Code? {
            guard case .failure(let rejection) = verifier.verify(headers: headers, body: [], at: now) else {
                return nil
            }
            return rejection.code
        }
        #expect(code([("webhook-id", "a"), ("webhook-timestamp", "1")]) == .missingHeader)
        #expect(
            code([("webhook-id", "a"), ("Webhook-Id", "b"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,")])
                == .repeatedHeader
        )
    }

    @Test func theUsualMistakesAreExplained() throws {
        let secret = try WebhookSecret(Self.zeroTo31)
        let content = WebhookSigner.content(id: "msg_0001", timestamp: "1700000000", body: Self.body2)
        for text in [Self.zeroTo31, String(Self.zeroTo31.dropFirst(6))] {
            let code = HMACSHA256.code(for: content, key: Array(text.utf8))
            #expect(try verify(Self.zeroTo31, "v1," + base64(code), Self.body2) == .textUsedAsKey)
        }
        let compact = Array(#"{"b":1,"a":[1,2]}"#.utf8)
        let pretty = Array("{ \"b\": 1,\n \"a\": [1, 2] }\n".utf8)
        let good = WebhookSigner(secrets: [secret]).signatures(id: "msg_0001", timestamp: 1_700_000_000, body: compact)
        #expect(try verify(Self.zeroTo31, good, pretty) == .bodyChanged)
        #expect(try verify(Self.zeroTo31, good, compact + [0x0A]) == .bodyChanged)
        let milliseconds = WebhookSigner(secrets: [secret]).signatures(
            id: "msg_0001",
            timestamp: 1_700_000_000_000,
            body: []
        )
        #expect(try verify(Self.zeroTo31, timestamp: "1700000000000", milliseconds, []) == .invalidTimestamp)
    }

    @Test(arguments: [(23, false), (24, true), (64, true), (65, false)])
    func keysHave24To64Bytes(_ count: Int, _ isFine: Bool) {
        let key = [UInt8](repeating: 7, count: count)
        #expect(((try? WebhookSecret("whsec_" + base64(key))) != nil) == isFine)
        #expect(((try? WebhookSecret(key: key)) != nil) == isFine)
    }

    @Test func wrongSecretsAreNamed() {
        func fault(_ text: String) -> WebhookSecret.Fault? {
            do throws(WebhookSecret.Fault) {
                _ = try WebhookSecret(text)
                return nil
            } catch {
                return error
            }
        }
        #expect(fault("v1," + Self.zeroTo31) == .signaturePrefix)
        #expect(fault("whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=") == .otherKind)
        #expect(fault("hello") == .prefixMissing)
        #expect(fault("whsec_***") == .notBase64)
        #expect(fault("  " + Self.zeroTo31 + "\n") == nil)
        #expect("\(WebhookSecret.generate())" == "whsec_…")
    }
}
