import Foundation
import HTTPKit
import StrictJSON

/// One run: brings the system up behind proxies, breaks it by plan, heals it, waits, and has it verified.
struct ChaosRun: Sendable {
    /// What a run is asked to be.
    struct Options: Sendable {
        var seed: UInt64
        var seconds: Int
        var rate: Int
        var density: ChaosPlan.Density
        /// The repository.
        var root: String
        /// The folder with the programs.
        var programs: String
        /// Where everything of this run goes.
        var folder: String
        /// Whether databases, the gateway and the event log get disks of their own, which can be made full.
        var hasDisks: Bool
        /// Seconds between looks of the verifier during the run.
        var checkEvery: Int
    }

    /// How long a target may take to be ready again after a heal. Generous: on a busy machine a broker needs a while to start.
    static let recoveryLimit: Int64 = 60_000
    /// Orders end within 30 s of the last heal; after silent faults three heartbeats of 5 s more.
    static let convergenceLimit: Int64 = 30_000 + 3 * 5000
    private static let inboxes = ["order.inbox", "payment.inbox", "inventory.inbox"]
    private static let topics = ["orders", "payments", "inventory"]

    let options: Options
    let view: LiveView

    private var runDirectory: String { options.folder + "/run" }
    private var histories: String { options.folder + "/history" }

    private var receipts: String { options.folder + "/webhooks.jsonl" }

    /// - Returns: the report; everything is stopped.
    func run() async throws -> ChaosReport {
        try FileManager.default.createDirectory(atPath: histories, withIntermediateDirectories: true)
        let sender = HTTPSender()
        let subscribers = SubscriberServer()
        do {
            let report = try await withInstallation(sender, subscribers)
            await subscribers.close()
            await sender.shutdown()
            return report
        } catch {
            await stop()
            await subscribers.close()
            await sender.shutdown()
            throw error
        }
    }

    private func withInstallation(_ sender: HTTPSender, _ subscribers: SubscriberServer) async throws -> ChaosReport {
        view.phase("starting the brokers")
        let instances = Installation.services.map { $0 + "=2" }.joined(separator: ",")
        try await up(["--data-only", "--instances", instances])
        let brokers = try installation(sender)
        let disks = await mountDisks()
        let hooks = try await subscribers.start(log: receipts)
        let routes = try await Routes.open(brokers, subscribers: hooks, seed: options.seed)
        view.phase("starting the services behind \(Routes.all.count) proxies")
        try await up(["--instances", instances] + (try settings(brokers, routes)))
        let installation = try installation(sender)
        try await addEndpoints(installation, subscribers, port: try routes.port("notification", "subscribers"))

        let targets = ChaosTargets(
            services: Installation.services,
            inboxes: Self.inboxes,
            topics: Self.topics,
            links: Routes.all.map(\.name),
            disks: disks.keys.sorted()
        )
        let plan = ChaosPlan(
            seed: options.seed,
            milliseconds: Int64(options.seconds) * 1000,
            density: options.density,
            targets: targets
        )
        let load = LoadDriver(
            installation,
            folder: histories,
            orderURL: "http://127.0.0.1:\(try routes.port("clients", "order"))"
        )
        let actor = FaultActor(
            installation: installation,
            routes: routes,
            subscribers: subscribers,
            messages: MessageArchive(),
            load: load,
            disks: disks
        )
        let journal = try Journal(path: options.folder + "/faults.jsonl") { [view] in view.changed($0, $1) }
        load.startMain(rate: options.rate, seconds: options.seconds)
        let report = try await attack(plan, actor, load, journal)
        await stop()
        try keep(disks)
        await routes.close()
        return report
    }

    // MARK: - The phases

    /// Faults, then peace, then the verdict.
    private func attack(
        _ plan: ChaosPlan,
        _ actor: FaultActor,
        _ load: LoadDriver,
        _ journal: Journal
    ) async throws -> ChaosReport {
        let watch = OrderWatch(installation: actor.installation)
        let verifier = Verifier(installation: actor.installation, folder: options.folder, receipts: receipts)
        view.phase("breaking things")
        let screen = Task { await view.follow(plan, journal, watch, HistoryCounts(folder: histories)) }
        defer { screen.cancel() }
        let looks = Task {
            var next = Int64(options.checkEvery) * 1000
            while !Task.isCancelled, next < plan.length {
                await journal.sleep(until: next)
                if Task.isCancelled { break }
                if let check = await verifier.live(at: journal.now) { journal.add(check) }
                next = max(next, journal.now) + Int64(options.checkEvery) * 1000
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for fault in plan.faults {
                await journal.sleep(until: fault.at)
                group.addTask { await carryOut(fault, actor, journal) }
            }
            // Everything is healed when this returns: also what could not recover.
        }
        await journal.sleep(until: plan.length)
        await actor.routes.heal()
        await looks.value

        view.phase("healed; waiting until every order has ended")
        var orders = ChaosReport.Orders()
        orders.convergenceLimit = Self.convergenceLimit
        // From the last heal, or the last order's placement when that was later; not from when the last target was ready
        // again. What does not count may have been in the way until its heal all the same.
        let healed = max(plan.length, journal.done.map(\.healedAt).max() ?? 0)
        var isAtRest = false
        while !isAtRest, journal.now < healed + 2 * Self.convergenceLimit {
            if load.running == 0, let counts = await watch.look(), OrderWatch.open(counts) == 0 { isAtRest = true }
            if !isAtRest { try? await Task.sleep(for: .milliseconds(100)) }
        }
        let took = journal.now - healed
        if isAtRest, took <= Self.convergenceLimit { orders.convergence = took }
        view.phase("emptying the queues")
        await drain(actor.installation)
        view.phase("verifying")
        let poison = options.folder + "/poison.txt"
        try Data(actor.messages.poison.text.utf8).write(to: URL(fileURLWithPath: poison))
        var counts = HistoryCounts(folder: histories)
        counts.update()
        let history = options.folder + "/history.jsonl"
        try counts.join(into: history)
        if let check = await verifier.final(history: history, poison: poison, settle: 60, at: journal.now) {
            journal.add(check)
        }
        orders.offered = counts.offered
        orders.accepted = counts.accepted
        orders.refused = counts.refused
        orders.unknown = counts.unknown
        orders.byStatus = await watch.look() ?? [:]
        orders.loadFailure = load.failure
        screen.cancel()
        await screen.value
        return ChaosReport(plan: plan, records: journal.done, checks: journal.checks, orders: orders)
    }

    /// Waits until nothing is left in a queue, dead letters on their way to their service included. The broker's figures are up to
    /// five seconds old.
    private func drain(_ installation: Installation) async {
        let deadline = ContinuousClock.now + .seconds(30)
        repeat {
            try? await Task.sleep(for: .seconds(5))
            if let management = try? ManagementAPI(installation), await management.messages() == 0 { return }
        } while ContinuousClock.now < deadline
    }

    /// One fault: does it, waits, heals it, and measures how long its target takes to be ready again.
    private func carryOut(_ fault: PlannedFault, _ actor: FaultActor, _ journal: Journal) async {
        let injected: Injected
        do throws(FaultRefusal) {
            injected = try await actor.inject(fault)
        } catch {
            return journal.end(
                FaultRecord(fault: fault, isInjected: false, note: error.reason, injectedAt: journal.now)
            )
        }
        var record = FaultRecord(fault: fault, isInjected: true, note: injected.note, injectedAt: journal.now)
        record.violation = injected.violation
        journal.begin(record)
        if fault.lasts > 0 { await journal.sleep(until: max(fault.healedAt, record.injectedAt)) }
        let outcome = await injected.heal()
        record.heal(outcome, at: journal.now)
        guard record.isInjected else { return journal.end(record) }
        journal.healed(record)
        while journal.now < record.healedAt + Self.recoveryLimit {
            if !injected.ending.contains(where: \.isAlive), await actor.isReady(after: fault) {
                record.recovery = journal.now - record.healedAt
                break
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
        journal.end(record)
    }

    // MARK: - Up and down

    private func installation(_ sender: HTTPSender) throws(ChaosFailure) -> Installation {
        try Installation(root: options.root, programs: options.programs, directory: runDirectory, sender: sender)
    }

    private func up(_ arguments: [String]) async throws {
        let log = options.folder + "/up.log"
        var environment = ProcessInfo.processInfo.environment
        environment["WAYBILL_BIN_DIR"] = options.programs
        for name in ["AMQP_URL", "KAFKA_BOOTSTRAP_SERVERS", "RABBITMQ_MANAGEMENT_URL"] { environment[name] = nil }
        environment["LOG_LEVEL"] = environment["LOG_LEVEL"] ?? "notice"
        let result = try await Shell.run(
            options.root + "/scripts/up.sh",
            ["--run-dir", runDirectory, "--timeout", "180"] + arguments,
            environment: environment,
            errors: log
        )
        guard result.code == 0 else {
            throw ChaosFailure(
                "The system did not come up; see \(log) and \(runDirectory)/logs.\n\(result.text.suffix(600))"
            )
        }
    }

    private func supervise(_ verb: String, _ process: String) async {
        _ = try? await Shell.run(
            options.programs + "/waybill-supervisor",
            [verb, "--run-dir", runDirectory, process],
            errors: options.folder + "/up.log"
        )
    }

    private func stop() async {
        _ = try? await Shell.run(
            options.root + "/scripts/down.sh",
            ["--run-dir", runDirectory],
            errors: options.folder + "/up.log"
        )
    }

    /// Sends every service through its proxies, and shortens waits that would outlast a run.
    private func settings(_ installation: Installation, _ routes: Routes) throws -> [String] {
        var settings = [
            "order:WAYBILL_ORDER_STOCK_SECONDS=15", "order:WAYBILL_ORDER_PAYMENT_SECONDS=20",
            "order:WAYBILL_ORDER_CONFIRMATION_SECONDS=15", "order:WAYBILL_ORDER_COMPENSATION_SECONDS=10",
            "gateway:WAYBILL_GATEWAY_LATE_SECONDS=5",
            "payment:WAYBILL_GATEWAY_URL=http://127.0.0.1:\(try routes.port("payment", "gateway"))",
            "gateway:WAYBILL_PAYMENT_CALLBACK_URL=http://127.0.0.1:\(try routes.port("gateway", "payment"))/v1/gateway-callbacks",
        ]
        for service in Installation.services {
            settings.append("\(service):KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:\(try routes.port(service, "event-log"))")
        }
        for inbox in Self.inboxes {
            let service = String(inbox.prefix { $0 != "." })
            let file = "\(runDirectory)/secrets/amqp-\(service)"
            let password = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(
                in: .whitespacesAndNewlines
            )
            let port = try routes.port(service, "rabbitmq")
            settings.append("\(service):AMQP_URL=amqp://\(service):\(password)@127.0.0.1:\(port)/waybill")
        }
        return settings.flatMap { ["--set", $0] }
    }

    /// Two subscribers of how orders end: one that always works, one that can be hostile.
    private func addEndpoints(_ installation: Installation, _ subscribers: SubscriberServer, port: Int) async throws {
        let url = try installation.variable("WAYBILL_NOTIFICATION_OPERATOR_URL") + "/operator/webhooks/endpoints"
        let token = try installation.variable("WAYBILL_TOKEN")
        for name in ["steady", "moody"] {
            let body = """
                {"url":"http://127.0.0.1:\(port)/\(name)","description":"chaos \(name)","breakerThreshold":0,"timeoutMs":2000,
                "eventTypes":["order.completed","order.cancelled","order.rejected"],
                "scheduleMs":[500,1000,1000,2000,2000,3000,3000,5000,5000,5000,5000,10000,10000,10000,10000]}
                """
            let answer = await installation.sender.send(
                "POST",
                url: url,
                headers: [("authorization", "Bearer \(token)"), ("content-type", "application/json")],
                body: Array(body.utf8)
            )
            guard case .success(let reply) = answer, reply.isSuccess, let endpoint = try? StrictJSON.parse(reply.body),
                let id = endpoint["id"]?.stringValue, let secret = endpoint["secret"]?.stringValue
            else {
                throw ChaosFailure("The webhook endpoint \(name) could not be added: \(answer).")
            }
            try subscribers.expect("/" + name, endpoint: id, secret: secret)
        }
    }

    /// A disk of its own for each database, for the gateway's ledger and for the event log, where that is possible.
    private func mountDisks() async -> [String: String] {
        guard options.hasDisks else { return [:] }
        var disks: [String: String] = [:]
        for name in Installation.services + [FaultKind.Part.gateway.rawValue, FaultKind.Part.eventLog.rawValue] {
            let folder = "\(runDirectory)/data/\(name)"
            // The event log runs already and has nothing in it yet: it begins anew on its disk.
            let isRunning = name == FaultKind.Part.eventLog.rawValue
            if isRunning { await supervise("stop", name + "-1") }
            do throws(FaultRefusal) {
                try await Disk.mount(folder)
                disks[name] = folder
            } catch {
                view.note("\(name) gets no disk of its own: \(error.reason)")
            }
            if isRunning { await supervise("start", name + "-1") }
        }
        return disks
    }

    /// Copies what lies on disks in memory to where it stays.
    private func keep(_ disks: [String: String]) throws {
        let kept = options.folder + "/data"
        try FileManager.default.createDirectory(atPath: kept, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: runDirectory + "/data") where name != "rabbitmq"
        {
            try FileManager.default.copyItem(atPath: "\(runDirectory)/data/\(name)", toPath: "\(kept)/\(name)")
        }
    }
}
