import KitTestSupport
import Messaging
import StrictJSON
import Synchronization
import Testing

@testable import CardGateway

@Suite struct CallbackTests {
    /// The vector of the specification's own tests.
    @Test func signsAsStandardWebhooksDoes() throws {
        let signer = try #require(CallbackSigner(secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"))
        let headers = signer.headers(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            body: Array(#"{"test": 2432232314}"#.utf8),
            at: Timestamp(millisecondsSinceEpoch: 1_614_265_330_000)
        )
        #expect(
            headers.map(\.value) == [
                "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ]
        )
    }

    @Test(arguments: ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!"])
    func badSecrets(_ secret: String) {
        #expect(CallbackSigner(secret: secret) == nil)
    }

    @Test func triesAgainWithTheSameIDAndBody() async throws {
        let signer = try #require(CallbackSigner(secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let sent = Mutex<[(id: String, body: [UInt8])]>([])
        let sender = CallbackSender(signer: signer, clock: ManualClock(), delay: 0, duplicates: 0, seed: 1) {
            headers,
            body in
            sent.withLock {
                $0.append((headers[0].value, body))
                return $0.count < 2 ? 503 : 204
            }
        }
        let running = Task { await sender.run() }
        var book = LedgerBook()
        sender.submit(book.record(authorize("k1"), at: Timestamp(millisecondsSinceEpoch: 0)))
        #expect(await eventually(within: .seconds(60)) { sender.counts.delivered == 1 })
        let attempts = sent.withLock { $0 }
        try #require(attempts.count == 2)
        #expect(attempts.map(\.id) == ["cb_1", "cb_1"])
        #expect(attempts[0].body == attempts[1].body)
        #expect(try StrictJSON.parse(attempts[0].body)["data"]?["key"] == "k1")
        sender.end()
        await running.value
    }

    @Test func duplicatesOnPurpose() async throws {
        let signer = try #require(CallbackSigner(secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let count = Mutex(0)
        let sender = CallbackSender(signer: signer, clock: ManualClock(), delay: 0, duplicates: 100, seed: 1) { _, _ in
            count.withLock { $0 += 1 }
            return 204
        }
        let running = Task { await sender.run() }
        var book = LedgerBook()
        for number in 1...10 {
            sender.submit(book.record(authorize("k\(number)"), at: Timestamp(millisecondsSinceEpoch: 0)))
        }
        #expect(await eventually(within: .seconds(60)) { count.withLock { $0 } == 20 })
        sender.end()
        await running.value
    }
}
