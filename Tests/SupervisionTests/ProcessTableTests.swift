import Testing

@testable import Supervision

@Suite("Process table")
struct ProcessTableTests {
    private func decode(_ processes: String, version: Int = 1) throws -> ProcessTable {
        let text = #"{"version":\#(version),"processes":[\#(processes)]}"#
        return try JSONText.decode(ProcessTable.self, from: Array(text.utf8), named: "process table")
    }

    @Test("Defaults are filled in")
    func defaults() throws {
        let table = try decode(#"{"name":"alpha","executable":"/bin/true"}"#)
        let entry = try #require(table["alpha-1"])
        #expect(entry.logFile == "logs/alpha-1.log")
        #expect(entry.pidFile == "pids/alpha-1.pid")
        #expect(entry.stopSignal == 15)
        #expect(entry.stopLimit == .seconds(5))
        #expect(entry.freezeLimit == nil)
        #expect(table.shutdownLimit == .seconds(10))
    }

    @Test("Dependencies come first, the rest keeps its place")
    func order() throws {
        let table = try decode(
            """
            {"name":"c","executable":"/x","dependsOn":["b-1"]},{"name":"a","executable":"/x"},
            {"name":"b","executable":"/x","dependsOn":["d-2"]},{"name":"d","instance":2,"executable":"/x"}
            """
        )
        #expect(table.processes.map(\.id) == ["a-1", "d-2", "b-1", "c-1"])
        #expect(table.dependents == ["b-1": ["c-1"], "d-2": ["b-1"]])
    }

    @Test(
        "What cannot be used is refused in a sentence",
        arguments: [
            (#"{"name":"Alpha","executable":"/x"}"#, "not a process name"),
            (#"{"name":"a/b","executable":"/x"}"#, "not a process name"),
            (#"{"name":"a","instance":0,"executable":"/x"}"#, "1 to 99"),
            (#"{"name":"a","executable":"x"}"#, "absolute path"),
            (#"{"name":"a"}"#, "lacks 'executable'"),
            (#"{"name":7,"executable":"/x"}"#, "wrong type"),
            (#"{"name":"a","executable":"/x"},{"name":"a","executable":"/x"}"#, "twice"),
            (#"{"name":"a","executable":"/x","dependsOn":["z-1"]}"#, "not in the process table"),
            (#"{"name":"a","executable":"/x","dependsOn":["a-1"]}"#, "circle"),
            (#"{"name":"a","executable":"/x","probe":"http://example.com:80/"}"#, "probe of 'a-1'"),
            (#"{"name":"a","executable":"/x","stopSeconds":0}"#, "stopSeconds"),
            (#"{"name":"a","executable":"/x","freezeSeconds":1e300}"#, "freezeSeconds"),
            (#"{"name":"a","executable":"/x","stopSignal":"KILL"}"#, "stopSignal"),
            ("{", "not valid JSON"),
        ]
    )
    func refused(text: String, part: String) throws {
        let error = try #require(throws: SupervisionError.self) { try decode(text) }
        #expect(error.description.contains(part), "\(error.description)")
    }

    @Test("Another version is refused")
    func version() throws {
        #expect(throws: SupervisionError.self) { try decode("", version: 2) }
    }

    @Test("Changes between two tables")
    func change() throws {
        let old = try decode(
            #"{"name":"a","executable":"/x"},{"name":"b","executable":"/x"},{"name":"c","executable":"/x","revision":"1"}"#
        )
        let new = try decode(
            #"{"name":"a","executable":"/x"},{"name":"c","executable":"/x","revision":"2"},{"name":"d","executable":"/x"}"#
        )
        let change = ProcessTableChange(from: old, to: new)
        #expect(change.added == ["d-1"])
        #expect(change.removed == ["b-1"])
        #expect(change.changed == ["c-1"])
    }
}

@Suite("Stopping everything")
struct ShutdownPlanTests {
    private let start = MonotonicTime(milliseconds: 0)
    private let limits: [String: Duration] = ["a-1": .seconds(9), "b-1": .seconds(5), "c-1": .seconds(5)]

    private func plan() throws -> ShutdownPlan {
        let text = """
            {"version":1,"processes":[{"name":"a","executable":"/x"},{"name":"b","executable":"/x","dependsOn":["a-1"]},
            {"name":"c","executable":"/x","dependsOn":["a-1"]}]}
            """
        let table = try JSONText.decode(ProcessTable.self, from: Array(text.utf8), named: "process table")
        return ShutdownPlan(table, at: start)
    }

    @Test("Dependents first, in reverse start order, what they need afterwards")
    func stages() throws {
        var plan = try plan()
        let first = plan.due(at: start, alive: ["a-1", "b-1", "c-1"], limits: limits)
        #expect(first.map(\.id) == ["c-1", "b-1"])
        let later = start + .seconds(1)
        #expect(plan.due(at: later, alive: ["a-1", "b-1"], limits: limits).isEmpty)
        let second = plan.due(at: later, alive: ["a-1"], limits: limits)
        #expect(second.map(\.id) == ["a-1"])
        // Its own nine seconds do not fit any more: the whole must be over in time.
        #expect(second.first?.within == .milliseconds(8500))
        #expect(plan.due(at: later, alive: ["a-1"], limits: limits).isEmpty)
    }

    @Test("Nobody waits for dependents longer than a quarter of the time")
    func hanging() throws {
        var plan = try plan()
        _ = plan.due(at: start, alive: ["a-1", "b-1"], limits: limits)
        #expect(plan.due(at: start + .milliseconds(2499), alive: ["a-1", "b-1"], limits: limits).isEmpty)
        #expect(plan.nextDeadline == start + .milliseconds(2500))
        let due = plan.due(at: plan.nextDeadline, alive: ["a-1", "b-1"], limits: limits)
        #expect(due.map(\.id) == ["a-1"])
        #expect(due.first?.within == .milliseconds(7000))
    }
}
