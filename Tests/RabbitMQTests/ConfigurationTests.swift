import Testing

@testable import RabbitMQ

@Suite struct ConfigurationTests {
    @Test(arguments: [
        ("amqp://user:pass@host:10000/vhost", "host", 10_000 as UInt16, "vhost", "user", "pass"),
        ("amqp://host", "host", 5_672, "/", "guest", "guest"),
        ("AMQP://Host/", "Host", 5_672, "", "guest", "guest"),
        ("amqp://user%61:%61pass@ho%61st:10000/v%2fhost", "hoast", 10_000, "v/host", "usera", "apass"),
        ("amqp://u@h/%2f", "h", 5_672, "/", "u", "guest"),
        ("amqp://u:@h/v", "h", 5_672, "v", "u", ""),
        ("amqp://u:p%40%3A%2F@127.0.0.1:5673/waybill", "127.0.0.1", 5_673, "waybill", "u", "p@:/"),
        ("amqp://u:p@q@h/v", "h", 5_672, "v", "u", "p@q"),
        ("amqp://[::1]:5673/v", "::1", 5_673, "v", "guest", "guest"),
        ("amqp://[::1]", "::1", 5_672, "/", "guest", "guest"),
        ("amqp://u:%C3%A4@h/v", "h", 5_672, "v", "u", "ä"),
    ])
    func parses(url: String, host: String, port: UInt16, virtualHost: String, user: String, password: String) throws {
        let configuration = try RabbitMQConfiguration(url: url)
        #expect(configuration.host == host)
        #expect(configuration.port == port)
        #expect(configuration.virtualHost == virtualHost)
        #expect(configuration.user == user)
        #expect(configuration.password == password)
    }

    @Test(arguments: [
        ("", RabbitMQURLError.unknownScheme), ("http://h", .unknownScheme), ("amqp:/h", .unknownScheme),
        ("amqps://h", .tlsNotSupported), ("amqp://", .missingHost), ("amqp:///v", .missingHost),
        ("amqp://:5672", .missingHost), ("amqp://[::1", .missingHost), ("amqp://h:", .invalidPort),
        ("amqp://h:0", .invalidPort), ("amqp://h:65536", .invalidPort), ("amqp://h:12x", .invalidPort),
        ("amqp://h:+12", .invalidPort), ("amqp://h/a/b", .invalidCharacter), ("amqp://h/a?x=1", .invalidCharacter),
        ("amqp://h?x=1", .invalidCharacter), ("amqp://h/%", .invalidPercentEncoding),
        ("amqp://h/%2", .invalidPercentEncoding), ("amqp://h/%zz", .invalidPercentEncoding),
        ("amqp://u:%ff@h", .invalidPercentEncoding), ("amqp://u%00:p@h", .invalidCharacter),
        ("amqp://[::1]x", .invalidCharacter),
    ])
    func refuses(url: String, expected: RabbitMQURLError) {
        #expect(throws: expected) { try RabbitMQConfiguration(url: url) }
    }

    @Test func passwordStaysHidden() {
        let configuration = RabbitMQConfiguration(host: "h", user: "u", password: "s3cret")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("s3cret"))
        }
    }

    @Test func backoffGrowsToItsCap() {
        let backoff = RabbitMQBackoff(base: .milliseconds(100), cap: .seconds(2))
        let longest = (1...40).map { backoff.delay(afterFailures: $0, random: 1) }
        #expect(Array(longest[0..<5]) == [100, 200, 400, 800, 1_600].map { .milliseconds($0) })
        #expect(longest[5...].allSatisfy { $0 == .seconds(2) })
        #expect(backoff.delay(afterFailures: 3, random: 0) == .milliseconds(200))
        for random in [-1, .nan, 5, .infinity] as [Double] {
            #expect(
                (.milliseconds(50)...(.milliseconds(100))).contains(backoff.delay(afterFailures: 1, random: random))
            )
        }
        #expect(backoff.delay(afterFailures: .min, random: 1) == .milliseconds(100))
        #expect(backoff.delay(afterFailures: .max, random: 1) == .seconds(2))
    }

    @Test func heartbeats() {
        let start = ContinuousClock.now
        var monitor = HeartbeatMonitor(interval: .seconds(5), now: start)
        #expect(monitor.verdict(at: start) == .idle(until: start + .milliseconds(2_500)))
        #expect(monitor.verdict(at: start + .milliseconds(2_500)) == .send)
        monitor.sent(at: start + .milliseconds(2_500))
        #expect(monitor.verdict(at: start + .seconds(3)) == .idle(until: start + .seconds(5)))
        monitor.received(at: start + .seconds(4))
        monitor.sent(at: start + .seconds(12))
        #expect(monitor.verdict(at: start + .milliseconds(13_999)) == .idle(until: start + .seconds(14)))
        #expect(monitor.verdict(at: start + .seconds(14)) == .peerIsSilent)
        #expect(HeartbeatMonitor(interval: .zero, now: start).verdict(at: start + .seconds(99)) == .idle(until: nil))
    }

    @Test func replyCodesBecomeErrorCodes() {
        let expected: [(UInt16, RabbitMQError.Code)] = [
            (403, .accessRefused), (404, .notFound), (405, .resourceLocked), (406, .topologyMismatch),
            (530, .accessRefused),
            (541, .connectionClosed), (0, .connectionClosed),
        ]
        for (replyCode, code) in expected {
            let error = RabbitMQError.closed(replyCode: replyCode, text: "t", wasConnection: true)
            #expect(error.code == code)
            #expect(error.replyCode == replyCode)
        }
    }
}
