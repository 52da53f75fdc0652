import Testing

@testable import Supervision

/// A machine with a clock that the test moves.
private struct Bench {
    var machine: ProcessMachine
    var now = MonotonicTime(milliseconds: 1_000_000)

    init(probed: Bool = true) {
        let limits = ProcessHealth.Limits(freeze: .seconds(6), start: .seconds(60))
        machine = ProcessMachine(limits: limits, isProbed: probed)
    }

    mutating func pass(_ time: Duration) {
        now = now + time
    }

    mutating func run(pid: Int32 = 10) {
        machine.start(at: now)
        #expect(machine.tick(at: now) == .spawn)
        machine.spawned(pid: pid, at: now)
    }

    mutating func answer(ready: Bool = true) {
        machine.probed(.answered(ready: ready, statusCode: ready ? 200 : 503, detail: ""), at: now)
    }

    mutating func silence() {
        machine.probed(.silent("timed out"), at: now)
    }

    mutating func die(_ exit: ProcessExit = .signal(9)) -> ProcessMachine.ExitAction {
        machine.exited(exit, at: now, jitter: 0.5)
    }
}

@Suite("Process state machine")
struct ProcessMachineTests {
    @Test("A started process is spawned at once, and only once")
    func start() {
        var bench = Bench()
        #expect(bench.machine.tick(at: bench.now) == .none)
        bench.run()
        #expect(bench.machine.run?.pid == 10)
        bench.machine.start(at: bench.now)
        #expect(bench.machine.tick(at: bench.now) == .none)
        #expect(bench.machine.restarts == 0)
    }

    @Test("A process that keeps dying is restarted with growing waits")
    func backoff() {
        var bench = Bench()
        bench.run()
        for expected in [120, 240, 480, 960] {
            #expect(bench.die() == .died(restartAfter: .milliseconds(expected)))
            bench.pass(.milliseconds(expected - 1))
            #expect(bench.machine.tick(at: bench.now) == .none)
            bench.pass(.milliseconds(1))
            #expect(bench.machine.tick(at: bench.now) == .spawn)
            bench.machine.spawned(pid: 11, at: bench.now)
        }
        #expect(bench.machine.restarts == 4)
    }

    @Test("Thirty healthy seconds forget the failures; thirty silent ones do not", arguments: [true, false])
    func reset(healthy: Bool) {
        var bench = Bench()
        bench.run()
        _ = bench.die()
        bench.pass(.seconds(1))
        #expect(bench.machine.tick(at: bench.now) == .spawn)
        bench.machine.spawned(pid: 11, at: bench.now)
        if healthy { bench.answer() }
        bench.pass(.seconds(30))
        #expect(bench.die() == .died(restartAfter: .milliseconds(healthy ? 120 : 240)))
    }

    @Test("A process without a probe counts as healthy by running")
    func unprobed() {
        var bench = Bench(probed: false)
        bench.run()
        _ = bench.die()
        bench.pass(.seconds(1))
        _ = bench.machine.tick(at: bench.now)
        bench.machine.spawned(pid: 11, at: bench.now)
        bench.pass(.seconds(30))
        #expect(bench.die() == .died(restartAfter: .milliseconds(120)))
    }

    @Test("Also an end with code 0 is a death when nobody asked for it")
    func cleanDeath() {
        var bench = Bench()
        bench.run()
        #expect(bench.die(.code(0)) == .died(restartAfter: .milliseconds(120)))
    }

    @Test("Failing to spawn waits like a death")
    func spawnFailure() {
        var bench = Bench()
        bench.machine.start(at: bench.now)
        #expect(bench.machine.tick(at: bench.now) == .spawn)
        #expect(bench.machine.spawnFailed(at: bench.now, jitter: 0.5) == .milliseconds(120))
        #expect(bench.machine.tick(at: bench.now) == .none)
        #expect(bench.machine.nextDeadline == bench.now + .milliseconds(120))
    }

    @Test("Silence of six seconds after an answer is a freeze: killed once, then restarted")
    func freeze() {
        var bench = Bench()
        bench.run()
        bench.answer()
        for _ in 0..<3 {
            bench.pass(.seconds(1))
            bench.silence()
        }
        bench.pass(.milliseconds(2999))
        #expect(bench.machine.tick(at: bench.now) == .none)
        bench.pass(.milliseconds(1))
        #expect(bench.machine.tick(at: bench.now) == .kill(pid: 10, .frozen))
        #expect(bench.machine.tick(at: bench.now) == .none)
        #expect(bench.die() == .died(restartAfter: .milliseconds(120)))
    }

    @Test("Any answer is a sign of life, also one that says not ready")
    func unreadyIsAlive() {
        var bench = Bench()
        bench.run()
        for _ in 0..<60 {
            bench.pass(.seconds(1))
            bench.answer(ready: false)
            #expect(bench.machine.tick(at: bench.now) == .none)
        }
    }

    @Test("Before the first answer only the long limit counts")
    func slowStart() {
        var bench = Bench()
        bench.run()
        for _ in 0..<59 {
            bench.pass(.seconds(1))
            bench.silence()
            #expect(bench.machine.tick(at: bench.now) == .none)
        }
        bench.pass(.seconds(1))
        #expect(bench.machine.tick(at: bench.now) == .kill(pid: 10, .neverStarted))
    }

    @Test("A pause of the supervisor is nobody's silence")
    func pause() {
        var bench = Bench()
        bench.run()
        bench.answer()
        // No probe was tried meanwhile, so nothing is known.
        bench.pass(.seconds(3600))
        #expect(bench.machine.tick(at: bench.now) == .none)
        bench.machine.forgive(.seconds(3600))
        for _ in 0..<5 {
            bench.pass(.seconds(1))
            bench.silence()
            #expect(bench.machine.tick(at: bench.now) == .none)
        }
        bench.pass(.seconds(1))
        #expect(bench.machine.tick(at: bench.now) == .kill(pid: 10, .frozen))
    }

    @Test("A stop is asked for once, and enforced when the time is over")
    func stop() {
        var bench = Bench()
        bench.run()
        #expect(bench.machine.stop(at: bench.now, within: .seconds(5), then: .stay) == .signal(pid: 10))
        #expect(bench.machine.stop(at: bench.now, within: .seconds(5), then: .stay) == .none)
        bench.pass(.milliseconds(4999))
        #expect(bench.machine.tick(at: bench.now) == .none)
        bench.pass(.milliseconds(1))
        #expect(bench.machine.tick(at: bench.now) == .kill(pid: 10, .stopTimeout))
        #expect(bench.die() == .stopped(clean: false))
        #expect(bench.machine.state == .stopped)
        bench.pass(.seconds(100))
        #expect(bench.machine.tick(at: bench.now) == .none)
    }

    @Test(
        "What counts as a clean stop",
        arguments: [(.code(0), true), (.signal(15), true), (.code(1), false), (.signal(11), false)]
            as [(ProcessExit, Bool)]
    )
    func cleanStop(exit: ProcessExit, clean: Bool) {
        var bench = Bench()
        bench.run()
        _ = bench.machine.stop(at: bench.now, within: .seconds(5), then: .stay)
        #expect(bench.die(exit) == .stopped(clean: clean))
    }

    @Test("A restart starts again at once, without a wait")
    func restart() {
        var bench = Bench()
        bench.run()
        _ = bench.machine.stop(at: bench.now, within: .seconds(5), then: .start)
        #expect(bench.die(.code(0)) == .restarting(clean: true))
        #expect(bench.machine.tick(at: bench.now) == .spawn)
    }

    @Test("A start while stopping is remembered, and a stop while waiting cancels the wait")
    func changesOfMind() {
        var bench = Bench()
        bench.run()
        _ = bench.machine.stop(at: bench.now, within: .seconds(5), then: .stay)
        bench.machine.start(at: bench.now)
        #expect(bench.die(.code(0)) == .restarting(clean: true))
        #expect(bench.machine.stop(at: bench.now, within: .seconds(5), then: .stay) == .none)
        #expect(bench.machine.state == .stopped)
    }

    @Test("A freeze kill under way is not asked to stop as well")
    func stopAfterKill() {
        var bench = Bench()
        bench.run()
        bench.answer()
        for _ in 0..<7 {
            bench.pass(.seconds(1))
            bench.silence()
        }
        #expect(bench.machine.tick(at: bench.now) == .kill(pid: 10, .frozen))
        #expect(bench.machine.stop(at: bench.now, within: .seconds(5), then: .stay) == .none)
        #expect(bench.die() == .stopped(clean: false))
    }

    @Test("Late news of a process that is gone changes nothing")
    func lateNews() {
        var bench = Bench()
        bench.answer()
        #expect(bench.die() == .ignored)
        bench.machine.spawned(pid: 5, at: bench.now)
        #expect(bench.machine.state == .stopped)
        #expect(bench.machine.spawnFailed(at: bench.now, jitter: 0) == .zero)
    }

    @Test("No sequence of inputs spawns twice, kills a stranger or gets stuck")
    func randomWalk() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var bench = Bench()
            var child: Int32?
            var next: Int32 = 1
            for _ in 0..<200 {
                bench.pass(.milliseconds(Int64.random(in: 0...4000, using: &random)))
                switch Int.random(in: 0..<7, using: &random) {
                case 0: bench.machine.start(at: bench.now)
                case 1:
                    let action = bench.machine.stop(at: bench.now, within: .seconds(2), then: .stay)
                    if case .signal(let pid) = action { #expect(pid == child) }
                case 2: _ = bench.machine.stop(at: bench.now, within: .seconds(2), then: .start)
                case 3: bench.answer(ready: Bool.random(using: &random))
                case 4: bench.silence()
                case 5:
                    if child != nil {
                        _ = bench.die(.code(Int32.random(in: 0...1, using: &random)))
                        child = nil
                    }
                default: break
                }
                switch bench.machine.tick(at: bench.now) {
                case .none: break
                case .kill(let pid, _): #expect(pid == child)
                case .spawn:
                    #expect(child == nil)
                    child = next
                    bench.machine.spawned(pid: next, at: bench.now)
                    next += 1
                }
                #expect(bench.machine.run?.pid == child)
            }
            // From anywhere: asked to start, it runs after at most the end of its child and one wait.
            bench.machine.start(at: bench.now)
            if child != nil, case .stopping? = Optional(bench.machine.state) { _ = bench.die(.code(0)) }
            bench.pass(.seconds(11))
            if bench.machine.run == nil { #expect(bench.machine.tick(at: bench.now) == .spawn) }
        }
    }
}
