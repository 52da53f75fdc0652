import Foundation
import Glibc
import Testing

@testable import Supervision

@Suite("The supervisor with real processes", .timeLimit(.minutes(2)))
struct SupervisorProcessTests {
    private typealias World = SupervisorWorld

    @Test("Starts everything with its environment, keeps logs and pid files, stops cleanly")
    func wholeLife() async throws {
        let script = "echo out $KEY $HIDDEN; echo err >&2; exec sleep 1000"
        let entries = [
            World.shell("alpha", script, #","environmentFile":"alpha.env""#), World.shell("beta", "exec sleep 1000"),
        ]
        try await World.with(entries) { world in
            try "KEY=a value\n".write(toFile: world.path + "/alpha.env", atomically: true, encoding: .utf8)
            try world.start()
            try await world.eventually("log lines") { world.text("logs/alpha-1.log") == "out a value\nerr\n" }
            try await world.eventually("status") { world.status("beta-1")?.healthy == true }
            let pids = try [#require(world.pid("alpha-1")), #require(world.pid("beta-1"))]
            #expect(pids.allSatisfy(World.isAlive))
            #expect(world.status("alpha-1")?.pid == pids[0])
            #expect(try await world.command("status").code == 0)
            #expect(try await world.stop() == 0)
            #expect(!pids.contains(where: World.isAlive))
            #expect(world.pid("alpha-1") == nil && world.pid("supervisor") == nil)
            #expect(world.text("status.json").contains(#""cleanStop" : true"#))
            #expect(try await world.command("status").code == 1)
        }
    }

    @Test("A killed process is back soon, and says so")
    func killed() async throws {
        try await World.with([World.shell("alpha", "exec sleep 1000")]) { world in
            try world.start()
            try await world.eventually("first start") { world.pid("alpha-1") != nil }
            let first = try #require(world.pid("alpha-1"))
            let began = ContinuousClock.now
            kill(first, SIGKILL)
            try await world.eventually("second start") { world.pid("alpha-1").map { $0 != first } ?? false }
            #expect(ContinuousClock.now - began < .seconds(8))
            try await world.eventually("status") { world.status("alpha-1")?.restarts == 1 }
            #expect(world.status("alpha-1")?.lastExit?.status == "signal 9")
            #expect(try await world.stop() == 0)
        }
    }

    @Test("A process that stops answering is killed and replaced; one that is only not ready is left alone")
    func frozen() async throws {
        let answerer = try ProbeAnswerer(.unready)
        let probe = #","probe":"http://127.0.0.1:\#(answerer.port)/health/ready","freezeSeconds":1"#
        try await World.with([World.shell("alpha", "exec sleep 1000", probe)]) { world in
            try world.start()
            try await world.eventually("unready") { world.status("alpha-1")?.state == .unready }
            #expect(world.status("alpha-1")?.answer == "503 because")
            let first = try #require(world.pid("alpha-1"))
            answerer.set(.ready)
            try await world.eventually("ready") { world.status("alpha-1")?.state == .ready }
            #expect(try await world.command("wait", "--timeout", "5").code == 0)
            #expect(world.pid("alpha-1") == first)
            answerer.set(.hangUp)
            try await world.eventually("replaced") { world.pid("alpha-1").map { $0 != first } ?? false }
            try await world.eventually("reason") { world.status("alpha-1")?.lastExit?.reason == "frozen" }
            // It never answered since, and without a limit for starting it is given all the time it needs.
            let second = world.pid("alpha-1")
            answerer.set(.ready)
            try await world.eventually("ready again") { world.status("alpha-1")?.state == .ready }
            #expect(world.pid("alpha-1") == second)
            #expect(try await world.stop() == 0)
        }
    }

    @Test("A really frozen process (SIGSTOP) can still be stopped in time")
    func stopped() async throws {
        try await World.with([World.shell("alpha", "exec sleep 1000")]) { world in
            try world.start()
            try await world.eventually("start") { world.pid("alpha-1") != nil }
            kill(try #require(world.pid("alpha-1")), SIGSTOP)
            #expect(try await world.stop() == 0)
        }
    }

    @Test("What ignores the stop signal is killed with its whole group, within the time, and that is not clean")
    func stubborn() async throws {
        let script = "trap '' TERM; sleep 1001 & echo $! >child; while :; do sleep 0.1; done"
        try await World.with([World.shell("alpha", script, #","stopSeconds":0.5"#)]) { world in
            try world.start()
            try await world.eventually("grandchild") { world.text("child").hasSuffix("\n") }
            let grandchild = try #require(Int32(world.text("child").dropLast()))
            let began = ContinuousClock.now
            #expect(try await world.stop() == 1)
            #expect(ContinuousClock.now - began < .seconds(6))
            #expect(!World.isAlive(grandchild))
            #expect(world.text("status.json").contains("stop-timeout"))
        }
    }

    @Test("Children die with a killed supervisor; the next one clears what is left and touches no stranger")
    func orphans() async throws {
        let stranger = Process()
        stranger.executableURL = URL(fileURLWithPath: "/bin/sleep")
        stranger.arguments = ["1000"]
        stranger.standardOutput = FileHandle.nullDevice
        stranger.standardError = FileHandle.nullDevice
        try stranger.run()
        // Not SIGTERM: the test's threads block it, and the mask is inherited.
        defer { kill(stranger.processIdentifier, SIGKILL) }
        // The grandchild survives its parent: the kernel ends only the supervisor's own children.
        let script = "setsid sleep 1002 & echo $! >child; wait"
        try await World.with([World.shell("alpha", script)]) { world in
            try world.start()
            try await world.eventually("grandchild") { world.text("child").hasSuffix("\n") }
            let child = try #require(world.pid("alpha-1"))
            let grandchild = try #require(Int32(world.text("child").dropLast()))
            try await world.stop(SIGKILL)
            try await world.eventually("child dies with it") { !World.isAlive(child) }
            #expect(World.isAlive(grandchild))

            // Stale files that name a stranger's process id.
            for file in ["alpha-1", "supervisor"] {
                let text = "\(stranger.processIdentifier)\n"
                try text.write(toFile: world.path + "/pids/\(file).pid", atomically: true, encoding: .utf8)
            }
            try world.start()
            try await world.eventually("cleared") { !World.isAlive(grandchild) }
            try await world.eventually("started anew") {
                world.pid("alpha-1").map { $0 != stranger.processIdentifier && $0 != child } ?? false
            }
            #expect(try await world.stop() == 0)
            #expect(World.isAlive(stranger.processIdentifier))
        }
    }

    @Test("One supervisor per run directory")
    func second() async throws {
        try await World.with([World.shell("alpha", "exec sleep 1000")]) { world in
            try world.start()
            try await world.eventually("start") { world.pid("alpha-1") != nil }
            let (code, output) = try await world.command("run")
            #expect(code == 2)
            #expect(output.contains("another supervisor is running"))
            #expect(try await world.stop() == 0)
        }
    }

    @Test("Stop, start and restart one process")
    func control() async throws {
        let entries = [World.shell("alpha", "exec sleep 1000"), World.shell("beta", "exec sleep 1000")]
        try await World.with(entries) { world in
            #expect(try await world.command("stop", "alpha-1").code == 2)
            try world.start()
            try await world.eventually("start") { world.status("beta-1")?.healthy == true }
            let beta = world.pid("beta-1")
            let first = world.pid("alpha-1")
            #expect(try await world.command("stop", "alpha-1").code == 0)
            try await world.eventually("stopped") { world.status("alpha-1")?.state == .stopped }
            #expect(world.pid("alpha-1") == nil)
            #expect(try await world.command("status").code == 1)
            #expect(try await world.command("start", "alpha-1").code == 0)
            try await world.eventually("started") { world.pid("alpha-1").map { $0 != first } ?? false }
            let second = world.pid("alpha-1")
            #expect(try await world.command("restart", "alpha-1").code == 0)
            try await world.eventually("restarted") { world.pid("alpha-1").map { $0 != second } ?? false }
            let (code, output) = try await world.command("stop", "gamma-1")
            #expect(code == 1 && output.contains("alpha-1, beta-1"))
            #expect(world.pid("beta-1") == beta)
            #expect(try await world.stop() == 0)
        }
    }

    @Test("Reload starts what is new, stops what is gone, restarts what changed and leaves the rest")
    func reload() async throws {
        let keep = World.shell("keep", "exec sleep 1000")
        let entries = [keep, World.shell("gone", "exec sleep 1000"), World.shell("edit", "exec sleep 1000")]
        try await World.with(entries) { world in
            try world.start()
            try await world.eventually("start") { world.pid("edit-1") != nil && world.pid("gone-1") != nil }
            let kept = world.pid("keep-1")
            let edited = world.pid("edit-1")
            try world.writeTable(["{"])
            #expect(try await world.command("reload").code == 1)
            try world.writeTable([World.shell("new", "exec sleep 1000"), keep, World.shell("edit", "exec sleep 1003")])
            let (code, output) = try await world.command("reload")
            #expect(code == 0 && output.contains("1 added, 1 removed, 1 changed"))
            try await world.eventually("changed") { world.pid("edit-1").map { $0 != edited } ?? false }
            try await world.eventually("new") { world.pid("new-1") != nil && world.pid("gone-1") == nil }
            try await world.eventually("gone from the status") {
                world.status("gone-1") == nil && world.status("new-1") != nil
            }
            #expect(world.pid("keep-1") == kept)
            #expect(try await world.stop() == 0)
        }
    }

    @Test("Waiting after a reload does not believe the status from before it")
    func waitAfterReload() async throws {
        let old = World.shell("old", "exec sleep 1000")
        try await World.with([old]) { world in
            try world.start()
            try await world.eventually("start") { world.status("old-1")?.healthy == true }
            // Nothing listens there: it never becomes ready.
            let probe = #", "probe": "http://127.0.0.1:1/""#
            for round in 1...3 {
                try world.writeTable([old, World.shell("new\(round)", "exec sleep 1000", probe)])
                #expect(try await world.command("reload").code == 0)
                #expect(try await world.command("wait", "--timeout", "2").code == 1)
            }
            #expect(try await world.stop() == 0)
        }
    }

    @Test("Log files are cut at the limit, once kept")
    func rotation() async throws {
        let script = "i=0; while :; do i=$((i+1)); echo line $i; done"
        try await World.with([World.shell("alpha", script)]) { world in
            try world.start(["--rotate-at", "20000"])
            try await world.eventually("rotated") { world.text("logs/alpha-1.log.1").count >= 20_000 }
            // What is kept begins and ends with whole lines.
            let old = world.text("logs/alpha-1.log.1")
            #expect(old.hasPrefix("line ") && old.hasSuffix("\n"))
            #expect(try await world.stop() == 0)
        }
    }

    @Test("A program that is not there is reported, and the others run")
    func missing() async throws {
        let entries = [#"{"name":"bad","executable":"/nonexistent/program"}"#, World.shell("good", "exec sleep 1000")]
        try await World.with(entries) { world in
            try world.start()
            try await world.eventually("good runs") { world.status("good-1")?.healthy == true }
            #expect(world.status("bad-1")?.state == .waiting)
            let (code, output) = try await world.command("wait", "--timeout", "1")
            #expect(code == 1)
            #expect(output.contains("bad-1 is waiting after 1 s (cannot run /nonexistent/program"))
            #expect(try await world.stop() == 0)
        }
    }

    @Test(
        "Wrong usage is one sentence and exit code 2",
        arguments: ["", "dance", "status extra words", "wait --timeout x", "--x"]
    )
    func usage(arguments: String) async throws {
        try await World.with([]) { world in
            let words = arguments.split(separator: " ").map(String.init)
            #expect(SupervisorCommandLine.main(words + (words.isEmpty ? [] : ["--run-dir", world.path])) == 2)
        }
    }
}
