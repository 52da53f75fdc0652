import Testing

@testable import HTTPKit

@Suite("Connection guard")
struct ConnectionGuardStateTests {
    @Test("requests within the bound keep the connection")
    func within() {
        var state = ConnectionGuardState(maxBodyBytes: 10)
        for _ in 0..<3 {
            state.receivedHead(contentLength: 10)
            #expect(state.isReading)
            #expect(state.receivedBody(4) == .forward)
            #expect(state.receivedBody(6) == .forward)
            #expect(state.receivedEnd() == .forward)
            #expect(!state.isReading)
            #expect(!state.mustCloseAfterResponse)
            #expect(state.sentEnd() == .keep)
            #expect(state.isBetweenRequests)
        }
    }

    @Test("the part that crosses the bound is handed on, the next ones are not, and the response is the last")
    func over() {
        var state = ConnectionGuardState(maxBodyBytes: 10)
        state.receivedHead(contentLength: nil)
        #expect(state.receivedBody(10) == .forward)
        #expect(state.receivedBody(1) == .forward)
        #expect(state.receivedBody(1) == .drop)
        #expect(state.mustCloseAfterResponse)
        #expect(state.sentEnd() == .linger)
        #expect(state.isLingering)
        #expect(state.receivedBody(1) == .drop)
        #expect(state.receivedEnd() == .close)
    }

    @Test("a body that goes on after its answer is cut at the bound")
    func overAfterAnswer() {
        var state = ConnectionGuardState(maxBodyBytes: 10)
        state.receivedHead(contentLength: nil)
        #expect(state.receivedBody(5) == .forward)
        #expect(state.sentEnd() == .keep)
        #expect(state.receivedBody(5) == .forward)
        #expect(state.receivedBody(5) == .linger)
        #expect(state.receivedBody(5) == .drop)
        #expect(state.isLingering)
    }

    @Test("an announced length over the bound makes the request the last one at once")
    func announced() {
        var state = ConnectionGuardState(maxBodyBytes: 10)
        state.receivedHead(contentLength: 11)
        #expect(state.receivedBody(1) == .drop)
        #expect(state.mustCloseAfterResponse)
        #expect(state.receivedEnd() == .forward)
        #expect(state.sentEnd() == .linger)
    }

    @Test("answers to earlier pipelined requests do not end the connection")
    func pipelined() {
        var state = ConnectionGuardState(maxBodyBytes: 10)
        state.receivedHead(contentLength: 0)
        #expect(state.receivedEnd() == .forward)
        state.receivedHead(contentLength: 99)
        #expect(state.sentEnd() == .keep)
        #expect(state.sentEnd() == .linger)
    }

    @Test("a parse error inside a body ends the connection after its answer, one between requests does not count")
    func parseErrors() {
        var state = ConnectionGuardState(maxBodyBytes: 10)
        state.receivedParseError()
        #expect(!state.mustCloseAfterResponse)
        state.receivedHead(contentLength: 5)
        state.receivedParseError()
        #expect(state.sentEnd() == .linger)
    }

    @Test("sizes at the end of the number range do not trap")
    func extremes() {
        var state = ConnectionGuardState(maxBodyBytes: .max)
        state.receivedHead(contentLength: .max)
        #expect(state.receivedBody(.max) == .forward)
        #expect(state.receivedBody(.max) == .forward)
        #expect(state.receivedBody(1) == .drop)
        #expect(state.sentEnd() == .linger)
        #expect(state.sentEnd() == .keep || state.isLingering)
    }
}
