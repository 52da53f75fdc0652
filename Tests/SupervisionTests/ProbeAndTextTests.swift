import Testing

@testable import Supervision

@Suite("Probe targets and answers")
struct ProbeTests {
    @Test(
        "Text forms",
        arguments: ["http://127.0.0.1:8280/health/ready", "tcp://127.0.0.1:5673", "http://127.0.0.1:65535/"]
    )
    func roundTrip(text: String) throws {
        #expect(try #require(ProbeTarget(text)).description == text)
    }

    @Test(
        "Anything else is refused",
        arguments: [
            "", "http://127.0.0.1", "http://127.0.0.1:/x", "http://127.0.0.1:0/", "http://127.0.0.1:65536/",
            "http://127.0.0.1:80x", "http://localhost:80/", "https://127.0.0.1:80/", "tcp://127.0.0.1:80/x",
            "http://127.0.0.1:80/a b", "http://127.0.0.1:80/\r\nX: y", "http://10.0.0.1:80/",
        ]
    )
    func refused(text: String) {
        #expect(ProbeTarget(text) == nil)
    }

    private func response(_ text: String, chunk: Int = 3) -> ProbeResponse {
        var response = ProbeResponse()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            response.append(rest.prefix(chunk))
            rest = rest.dropFirst(chunk)
        }
        return response
    }

    @Test("A whole answer, in pieces of any size", arguments: 1...7)
    func whole(chunk: Int) {
        let text = "HTTP/1.1 503 Service Unavailable\r\ncontent-LENGTH: 9\r\n\r\n{\"a\": 1}\n"
        #expect(response(text, chunk: chunk).isComplete)
        #expect(!response(String(text.dropLast()), chunk: chunk).isComplete)
        #expect(
            response(text, chunk: chunk).outcome == .answered(ready: false, statusCode: 503, detail: "{\"a\": 1} ")
        )
    }

    @Test("Ready is 2xx")
    func ready() {
        let outcome = response("HTTP/1.0 204 No Content\r\n\r\n").outcome
        #expect(outcome == .answered(ready: true, statusCode: 204, detail: ""))
    }

    @Test(
        "Bytes that are not HTTP are silence, never a trap",
        arguments: [
            "", "AMQP\0\0\u{9}\u{1}", "HTTP/1.1 20", "HTTP/1.1 abc def\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/2 200\r\n\r\n", "\r\n\r\n",
        ]
    )
    func garbage(text: String) {
        guard case .silent = response(text).outcome else {
            Issue.record("taken for an answer")
            return
        }
    }

    @Test(
        "Strange lengths",
        arguments: ["-1", "x", "", "99999999999999999999", "1 2"]
    )
    func lengths(value: String) {
        let answer = response("HTTP/1.1 200 OK\r\nContent-Length: \(value)\r\n\r\n")
        #expect(!answer.isComplete)
        #expect(answer.statusCode == 200)
    }

    @Test("A flood is cut at the limit and counts as complete")
    func flood() {
        var answer = response("HTTP/1.1 500 X\r\n\r\n")
        answer.append(repeatElement(0x07, count: 1 << 20))
        #expect(answer.isComplete)
        guard case .answered(false, 500, let detail) = answer.outcome else {
            Issue.record("not an answer")
            return
        }
        #expect(detail.count == ProbeResponse.detailLimit)
        #expect(detail.allSatisfy { $0 == " " })
    }
}

@Suite("Environment files")
struct EnvironmentFileTests {
    @Test("Values are taken as they stand")
    func values() throws {
        let file = try EnvironmentFile("# comment\nA=1\n\nB_2=x = \"y\" $HOME 'z' \nC=\n")
        #expect(file.entries.map(\.key) == ["A", "B_2", "C"])
        #expect(file.entries.map(\.value) == ["1", "x = \"y\" $HOME 'z' ", ""])
    }

    @Test("Bad lines are named by number", arguments: ["A", "=x", "1A=x", "A B=x", "A=\0", " A=1"])
    func bad(line: String) throws {
        let error = try #require(throws: SupervisionError.self) { try EnvironmentFile("OK=1\n\(line)\n") }
        #expect(error.description.contains("line 2"))
    }
}

@Suite("Status")
struct StatusTests {
    private func status(_ states: [ProcessStatus.State], phase: SupervisorStatus.Phase = .running) -> SupervisorStatus {
        var processes: [ProcessStatus] = []
        for (index, state) in states.enumerated() {
            processes.append(
                ProcessStatus(
                    id: "p-\(index)",
                    name: "p",
                    instance: index,
                    state: state,
                    healthy: state == .ready,
                    pid: 7,
                    uptimeSeconds: 3725,
                    restarts: 2,
                    answer: "503 \(String(repeating: "x", count: 90))",
                    address: "http://127.0.0.1:1",
                    logFile: "logs/p.log"
                )
            )
        }
        return SupervisorStatus(
            supervisorPid: 1,
            supervisorStartTicks: 2,
            startedAt: "",
            updatedAt: "",
            phase: phase,
            cleanStop: nil,
            processes: processes
        )
    }

    @Test("Healthy means: running, something there, all ready")
    func healthy() {
        #expect(status([.ready, .ready]).isHealthy)
        #expect(!status([.ready, .unready]).isHealthy)
        #expect(!status([]).isHealthy)
        #expect(!status([.ready], phase: .stopping).isHealthy)
    }

    @Test("The document survives its own JSON")
    func json() throws {
        let before = status([.ready, .waiting])
        let bytes = JSONText.encode(before, pretty: true)
        #expect(try JSONText.decode(SupervisorStatus.self, from: bytes, named: "status") == before)
    }

    @Test("Columns line up, long answers are cut, no trailing blanks")
    func table() {
        let lines = StatusTable(usesColour: false).lines(status([.ready, .unready]))
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("NAME  PID  STATE    UPTIME  RESTARTS  PROBE"))
        #expect(lines[2].hasPrefix("p-1     7  unready   1h02m         2  503 xxx"))
        #expect(lines.allSatisfy { !$0.hasSuffix(" ") && $0.count < 120 })
        let narrow = StatusTable(usesColour: false, width: 40).lines(status([.ready, .unready]))
        #expect(narrow.allSatisfy { $0.count <= 40 })
        #expect(StatusTable(usesColour: true).lines(status([.ready]))[1].contains("\u{1b}[32mready\u{1b}[0m"))
    }

    @Test("Control commands")
    func commands() {
        #expect(ControlCommand(command: "status", process: nil) == .status)
        #expect(ControlCommand(command: "stop", process: "a-1") == .stop("a-1"))
        #expect(ControlCommand(command: "stop", process: nil) == nil)
        #expect(ControlCommand(command: "reload", process: "a-1") == nil)
        #expect(ControlCommand(command: "rm", process: "a-1") == nil)
    }
}
