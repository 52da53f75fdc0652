import DurableStore
import Foundation
import Testing

@testable import Webhooks

/// The verifiers of `docs/webhooks.md`, which share nothing with the sender, against the vectors and against real requests.
@Suite("Receivers in three languages")
struct ReceiverTests {
    struct Case: Sendable {
        var secret: String
        var id: String
        var timestamp: Int64
        var body: [UInt8]
        var signatures: String
    }

    static let vectors = [
        Case(
            secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: 1_614_265_330,
            body: Array(#"{"test": 2432232314}"#.utf8),
            signatures: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        ),
        Case(
            secret: SigningTests.zeroTo31,
            id: "msg_0001",
            timestamp: 1_700_000_000,
            body: SigningTests.body2,
            signatures: "v1,CIGX/hKxsTsE8IG7S1m6dYNRg/3Zg5Q91mnB4Q/WOFg="
        ),
        Case(
            secret: SigningTests.zeroTo31,
            id: "msg_0001",
            timestamp: 1_700_000_000,
            body: [],
            signatures: "v1a,AAAA v1,hOfIUkmI4GiUE6hkCRumt1O16Rxjn1aZen65qqSIeb8="
        ),
    ]

    static let languages = [["python3", "verify.py"], ["node", "verify.mjs"]]

    static let docs = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("docs/webhooks")

    /// Runs a script; `nil` when the language is not on this machine.
    private func run(_ language: [String], _ test: Case, now: Int64) async throws -> (code: Int32, output: String)? {
        guard Self.isInstalled(language[0]) else { return nil }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            language[0], Self.docs.appendingPathComponent(language[1]).path, test.secret, test.id,
            String(test.timestamp),
            test.signatures, String(now),
        ]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        return try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { process in
                let text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
                continuation.resume(
                    returning: (process.terminationStatus, text.trimmingCharacters(in: .whitespacesAndNewlines))
                )
            }
            do {
                try process.run()
                input.fileHandleForWriting.write(Data(test.body))
                try input.fileHandleForWriting.close()
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    static func isInstalled(_ name: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
        }
    }

    private func check(_ language: [String]) async throws {
        for test in Self.vectors {
            #expect(try #require(try await run(language, test, now: test.timestamp)) == (0, test.id))
            var changed = test
            changed.body.append(0x20)
            #expect(try await run(language, changed, now: test.timestamp)?.code == 1)
            #expect(try await run(language, test, now: test.timestamp + 301)?.code == 1)
        }
    }

    @Test(.enabled(if: isInstalled("python3"), "python3 is not on this machine"))
    func python() async throws { try await check(Self.languages[0]) }

    @Test(.enabled(if: isInstalled("node"), "node is not on this machine"))
    func javaScript() async throws { try await check(Self.languages[1]) }

    @Test func swift() throws {
        for test in Self.vectors {
            let headers = [
                "webhook-id": test.id, "webhook-timestamp": String(test.timestamp),
                "webhook-signature": test.signatures,
            ]
            let now = Date(timeIntervalSince1970: Double(test.timestamp))
            #expect(
                try verifyWebhook(secret: test.secret, headers: headers, body: Data(test.body), now: now) == test.id
            )
            #expect(throws: VerificationFault.self) {
                try verifyWebhook(secret: test.secret, headers: headers, body: Data(test.body + [0]), now: now)
            }
            #expect(throws: VerificationFault.self) {
                try verifyWebhook(
                    secret: test.secret,
                    headers: headers,
                    body: Data(test.body),
                    now: now.addingTimeInterval(301)
                )
            }
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func realRequestsVerifyInEachOfThem() async throws {
        let server = try await HostileServer { _, number in
            number == 1 ? .bytes(HostileServer.answer("500 No")) : .bytes(HostileServer.ok)
        }
        var options = SenderOptions()
        options.schedule = RetrySchedule(delays: [10]) ?? .standard
        let bench = try await LiveBench(options: options)
        let endpoint = try await bench.endpoint(server.url)
        let administration = bench.administration
        let secret = try await bench.store.write { tx in
            try administration.rotate(endpoint.id, grace: .seconds(60), actor: "test", in: tx).secret.text
        }
        try await bench.publish(["evt_1"])
        let isDone = try await eventuallyDelivered(bench, 1)
        #expect(isDone && server.requests.count == 2)
        for request in server.requests {
            let test = Case(
                secret: secret,
                id: request.header("webhook-id") ?? "",
                timestamp: Int64(request.header("webhook-timestamp") ?? "") ?? 0,
                body: request.body,
                signatures: request.header("webhook-signature") ?? ""
            )
            #expect(test.signatures.split(separator: " ").count == 2)
            for language in Self.languages {
                guard let (code, output) = try await run(language, test, now: test.timestamp) else { continue }
                #expect(code == 0 && output == "evt_1")
            }
        }
        await bench.stop()
        await server.close()
    }
}
