import Messaging
import Testing

@Suite struct EnvelopeHeadersTests {
    private let full = Envelope(
        id: "id-1",
        source: "/waybill/test",
        type: "test.v1",
        subject: "s-1",
        time: Timestamp(millisecondsSinceEpoch: 1234),
        sequence: 7,
        correlationID: "c",
        causationID: "b",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        replyTo: "a.inbox",
        attempt: 3,
        contentType: "text/plain",
        body: [0, 1, 255]
    )
    private let small = Envelope(
        id: "id-2",
        source: "/t",
        type: "t",
        subject: "s",
        time: Timestamp(millisecondsSinceEpoch: 0),
        correlationID: "c",
        body: []
    )

    private func fault(_ change: (inout [(name: String, value: String)]) -> Void) -> EnvelopeFault? {
        var headers = EnvelopeHeaders.encode(full)
        change(&headers)
        do throws(EnvelopeFault) {
            _ = try EnvelopeHeaders.decode(headers, body: [])
            return nil
        } catch { return error }
    }

    private func set(_ name: String, _ value: String?) -> EnvelopeFault? {
        fault { headers in
            headers.removeAll { $0.name == name }
            if let value { headers.append((name, value)) }
        }
    }

    @Test func roundTrip() throws {
        for envelope in [full, small] {
            let headers = EnvelopeHeaders.encode(envelope)
            #expect(try EnvelopeHeaders.decode(headers.shuffled(), body: envelope.body) == envelope)
            #expect(headers.last?.name == "content-type")
        }
    }

    @Test func unknownHeadersAreIgnored() {
        #expect(fault { $0 += [("x", "1"), ("x", "2"), ("ce", ""), ("CE_ID", "other")] } == nil)
    }

    @Test(arguments: ["ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_correlationid"])
    func missingOrEmpty(name: String) {
        #expect(set(name, nil) == EnvelopeFault(attribute: name, reason: .missing))
        #expect(set(name, "") == EnvelopeFault(attribute: name, reason: .invalid))
    }

    @Test func everyFaultIsPoison() {
        #expect(set("ce_specversion", "0.3")?.failureClass == .poison)
        #expect(set("ce_specversion", nil)?.code == "envelope-invalid")
    }

    @Test(arguments: [
        ("ce_id", "has space"), ("ce_id", "é"), ("ce_id", "a\u{0}"), ("ce_id", String(repeating: "x", count: 129)),
        ("ce_subject", "a\nb"), ("ce_correlationid", "\u{7F}"), ("ce_time", "yesterday"), ("ce_attempt", "0"),
        ("ce_attempt", "-1"), ("ce_attempt", "1e2"), ("ce_attempt", "+1"), ("ce_attempt", "1.0"), ("ce_attempt", ""),
        ("ce_attempt", "9999999999999999999"), ("ce_sequence", "0"), ("ce_sequence", "٣"),
        ("ce_sequence", "1000000000000000000"),
    ])
    func invalid(name: String, value: String) {
        #expect(set(name, value) == EnvelopeFault(attribute: name, reason: .invalid))
    }

    @Test func sizes() {
        #expect(set("ce_source", String(repeating: "x", count: 4096)) == nil)
        #expect(set("ce_source", String(repeating: "x", count: 4097))?.reason == .tooLong)
        #expect(fault { $0 += (0..<60).map { ("h\($0)", "") } }?.reason == .tooMany)
        #expect(fault { $0.append(("ce_id", "again")) }?.reason == .repeated)
        #expect(set("ce_attempt", "999999999999999999") == nil)
    }

    /// Any headers at all: an envelope or a fault, never a trap.
    @Test func randomHeaders() {
        var random = SystemRandomNumberGenerator()
        let names = EnvelopeHeaders.encode(full).map(\.name) + ["x", "", "ce_", "ce_🙂"]
        let values = [
            "", "1", "-", "1.0", "2026-01-01T00:00:00Z", "\u{0}", "é", "🙂", String(repeating: "9", count: 40), "s-1",
        ]
        for _ in 0..<5000 {
            let count = Int.random(in: 0...70, using: &random)
            let headers = (0..<count).map { _ in
                (name: names.randomElement() ?? "", value: values.randomElement() ?? "")
            }
            let message = ReceivedMessage(source: .queue("q"), headers: headers, body: [1])
            if case .success(let envelope) = message.envelope { #expect(envelope.attempt >= 1) }
        }
        for _ in 0..<2000 {
            var headers = EnvelopeHeaders.encode(full)
            let index = Int.random(in: 0..<headers.count, using: &random)
            headers[index].value = values.randomElement() ?? ""
            _ = ReceivedMessage(source: .queue("q"), headers: headers, body: [])
        }
    }
}
