import FaultProxy
import Foundation
import Glibc
import HTTPKit
import Kafka
import Logging
import StrictJSON

/// What an injected fault left behind.
struct Injected: Sendable {
    /// What was done, in a few words.
    var note: String
    /// Something that a promise forbids, seen by the injector itself.
    var violation: String?
    /// Processes that are about to end: nothing counts as ready again before they have.
    var ending: [ProcessHandle]
    /// Takes the fault away, and says what it came to; nothing to do after a blow.
    var heal: @Sendable () async -> FaultOutcome

    init(
        _ note: String,
        violation: String? = nil,
        ending: [ProcessHandle] = [],
        heal: @escaping @Sendable () async -> Void = {}
    ) {
        self.note = note
        self.violation = violation
        self.ending = ending
        self.heal = {
            await heal()
            return .asNoted
        }
    }

    /// Something that is done, or seen to have had an effect, only at its end.
    static func atEnd(_ note: String, _ finish: @escaping @Sendable () async -> FaultOutcome) -> Injected {
        var injected = Injected(note)
        injected.heal = finish
        return injected
    }
}

/// Carries faults out on the running installation, and takes them away. One method for each group of kinds.
struct FaultActor: Sendable {
    let installation: Installation
    let routes: Routes
    let subscribers: SubscriberServer
    let messages: MessageArchive
    /// Starts bursts of orders.
    let load: LoadDriver
    /// The folder of the disks that can be made full, by service or part.
    let disks: [String: String]

    /// Does what is planned.
    /// - Throws: ``FaultRefusal`` when it cannot be done just now.
    func inject(_ fault: PlannedFault) async throws(FaultRefusal) -> Injected {
        var random = ChaosRandom(seed: fault.seed)
        switch fault.kind {
        case .killActive, .killStandby, .killBoth, .terminateActive, .terminateStandby, .freezeActive, .freezeStandby,
            .slowConsumer, .exhaustDescriptors:
            return try await strikeInstance(fault)
        case .fillDisk, .fillGatewayDisk:
            return try await fillDisk(of: fault.target)
        case .fillEventLogDisk:
            return try await fillEventLogDisk(fault.target)
        case .killGateway, .killEventLog, .killRabbitMQ:
            return try strike([fault.target + "-1"], SIGKILL)
        case .terminateGateway, .terminateEventLog, .restartRabbitMQ:
            return try strike([fault.target + "-1"], SIGTERM)
        case .freezeGateway, .freezeEventLog, .freezeRabbitMQ:
            return try freeze(fault.target + "-1")
        case .blockPublishers:
            return try await blockPublishers()
        case .closeConnections:
            let count = try await management().closeConnections()
            guard count > 0 else { throw FaultRefusal("there is no connection to close just now") }
            return Injected("\(count) connections")
        case .deleteQueue:
            let management = try management()
            defer { messages.noteDeletion(of: fault.target) }
            try await management.deleteQueue(fault.target)
            return Injected(fault.target)
        case .latency, .bandwidth, .stall, .blackhole, .oneWayCut, .resetConnections, .refuseConnections, .flappingLink,
            .slicedBytes, .cutAfterBytes, .damagedFrames:
            return try await disturbLink(fault, &random)
        case .duplicateMessages, .staleMessages:
            return try await replay(fault, random)
        case .reorderedMessages:
            return try await reorder(fault, random)
        case .poisonedQueue:
            return try await poisonQueue(fault, &random)
        case .poisonedTopic:
            return try await poisonTopic(fault, &random)
        case .forgedCallbacks, .repeatedCallbacks, .lyingCallbacks:
            return try await callBack(fault, &random)
        case .hostileSubscriber:
            let mood = random.pick(SubscriberServer.Mood.allCases.filter { $0 != .polite }) ?? .fails
            subscribers.set(mood)
            return Injected(mood.rawValue) { [subscribers] in subscribers.set(.polite) }
        case .burst:
            let orders = 60 + Int(random.below(90))
            let number = load.startBurst(rate: 100, orders: orders)
            return .atEnd("\(orders) orders at 100/s") { [load] in
                await load.hasPlaced(inBurst: number) ? .asNoted : .nothing("waybill load placed no order")
            }
        }
    }

    /// Whether the target of a fault is ready again.
    func isReady(after fault: PlannedFault) async -> Bool {
        switch fault.kind.scope {
        case .service where [.killStandby, .killBoth, .terminateStandby, .freezeStandby].contains(fault.kind):
            await installation.isPairReady(fault.target)
        case .service, .disk, .part, .partDisk: await installation.isReady(fault.target)
        case .link: await installation.isReady(Routes.all.first { $0.name == fault.target }?.suffers ?? fault.target)
        case .inbox: await installation.isReady(String(fault.target.prefix { $0 != "." }))
        case .topic: await installation.isReady("analytics")
        case .outside("gateway callbacks"): await installation.isReady("payment")
        case .outside("webhook subscriber"): await installation.isReady("notification")
        case .outside: await installation.isReady("order")
        }
    }

    // MARK: - Processes

    private func strikeInstance(_ fault: PlannedFault) async throws(FaultRefusal) -> Injected {
        let roles = await installation.roles(of: fault.target)
        guard let active = roles.active, let standby = roles.standby else {
            throw FaultRefusal("no instance of \(fault.target) is active just now")
        }
        switch fault.kind {
        case .killActive: return try strike([active], SIGKILL)
        case .killStandby: return try strike([standby], SIGKILL)
        case .killBoth: return try strike([active, standby], SIGKILL)
        case .terminateActive: return try strike([active], SIGTERM)
        case .terminateStandby: return try strike([standby], SIGTERM)
        case .freezeActive: return try freeze(active)
        case .freezeStandby: return try freeze(standby)
        case .slowConsumer: return try slowDown(active)
        default: return try await exhaustDescriptors(of: active)
        }
    }

    private func strike(_ ids: [String], _ signal: Int32) throws(FaultRefusal) -> Injected {
        // All or none: a blow at one of two is another fault.
        let processes = ids.compactMap { installation.process($0) }
        let struck = processes.count == ids.count ? processes.filter { $0.signal(signal) } : []
        guard struck.count == ids.count else {
            let who = ids.joined(separator: " and ")
            throw FaultRefusal(ids.count == 1 ? "\(who) does not run just now" : "\(who) do not both run just now")
        }
        let numbers = struck.map { "\($0.pid)" }.joined(separator: ", ")
        return Injected("\(ids.joined(separator: ", ")) (\(numbers))", ending: struck)
    }

    private func freeze(_ id: String) throws(FaultRefusal) -> Injected {
        guard let process = installation.process(id), process.signal(SIGSTOP) else {
            throw FaultRefusal("\(id) does not run just now")
        }
        return Injected("\(id) (\(process.pid))") { process.signal(SIGCONT) }
    }

    /// Lets a process run one part in five of the time.
    private func slowDown(_ id: String) throws(FaultRefusal) -> Injected {
        guard let process = installation.process(id), process.isAlive else {
            throw FaultRefusal("\(id) does not run just now")
        }
        let cycle = Task {
            while !Task.isCancelled, process.signal(SIGSTOP) {
                try? await Task.sleep(for: .milliseconds(200))
                process.signal(SIGCONT)
                try? await Task.sleep(for: .milliseconds(50))
            }
            process.signal(SIGCONT)
        }
        return Injected("\(id) at a fifth of its speed") {
            cycle.cancel()
            await cycle.value
        }
    }

    private func exhaustDescriptors(of id: String) async throws(FaultRefusal) -> Injected {
        guard let process = installation.process(id), let old = process.descriptorLimit else {
            throw FaultRefusal("\(id) does not run just now")
        }
        // What is open stays; not one more can be opened.
        let count = process.openDescriptors
        guard await process.limitDescriptors(to: count) else { throw FaultRefusal("the limit of \(id) cannot be set") }
        return Injected("\(id), \(count) open") { await process.limitDescriptors(to: old) }
    }

    /// A disk is a file system in memory, which is full when it is made as small as what lies on it.
    private func fillDisk(of name: String) async throws(FaultRefusal) -> Injected {
        guard let folder = disks[name] else { throw FaultRefusal("\(name) has no disk of its own") }
        let used = try await Disk.fill(folder)
        return Injected("\(name)'s disk at \(used >> 10) KiB") { try? await Disk.resize(folder, to: Disk.size) }
    }

    /// The event log reserves space ahead, so that it would not notice a full disk for long. This disk is thin: it gives the
    /// reserved space away, which is filled with zeros and reads as zeros still. The server stands still meanwhile, so that nothing
    /// is given away that is just being written.
    private func fillEventLogDisk(_ name: String) async throws(FaultRefusal) -> Injected {
        guard let folder = disks[name] else { throw FaultRefusal("\(name) has no disk of its own") }
        guard let process = installation.process(name + "-1"), process.signal(SIGSTOP) else {
            throw FaultRefusal("\(name) does not run just now")
        }
        defer { process.signal(SIGCONT) }
        guard await process.hasStopped() else { throw FaultRefusal("\(name) did not stand still") }
        await Disk.giveReservedSpaceAway(folder)
        return try await fillDisk(of: name)
    }

    // MARK: - RabbitMQ

    private func management() throws(FaultRefusal) -> ManagementAPI {
        do {
            return try ManagementAPI(installation)
        } catch {
            throw FaultRefusal(error.description)
        }
    }

    private func blockPublishers() async throws(FaultRefusal) -> Injected {
        let installation = installation
        @Sendable func watermark(_ value: String) async -> Bool {
            let result = try? await Shell.run(
                installation.root + "/scripts/lib/rabbitmq.sh",
                ["ctl", installation.directory, "set_vm_memory_high_watermark", value]
            )
            return result?.code == 0
        }
        guard await watermark("0.00000001") else { throw FaultRefusal("rabbitmqctl did not get through") }
        return Injected("memory alarm") {
            // A broker that stays blocked would make the rest of the run meaningless.
            for _ in 0..<5 where await watermark("0.4") { return }
        }
    }

    // MARK: - Links

    private func disturbLink(_ fault: PlannedFault, _ random: inout ChaosRandom) async throws(FaultRefusal) -> Injected
    {
        let what: LinkFault
        switch fault.kind {
        case .latency:
            what = .latency(delay: .milliseconds(10 + random.below(250)), jitter: .milliseconds(random.below(50)))
        case .bandwidth: what = .bandwidth(bytesPerSecond: 4000 + Int(random.below(60_000)))
        case .stall: what = .stall
        case .blackhole: what = .blackhole
        case .oneWayCut: what = .oneWayCut(random.below(2) == 0 ? .toServer : .toClient)
        case .resetConnections: what = .reset
        case .refuseConnections: what = .refuse
        case .flappingLink: what = .flap(period: .milliseconds(200 + random.below(400)))
        case .slicedBytes: what = .slice(largest: 1 + Int(random.below(16)))
        case .cutAfterBytes: what = .limit(bytes: 1 + Int(random.below(20_000)))
        default: what = .damage(oneIn: 2 + Int(random.below(20)))
        }
        let proxy: FaultProxy
        do {
            proxy = try routes.proxy(fault.target)
        } catch {
            throw FaultRefusal(error.description)
        }
        if what == .reset, proxy.counts.open == 0 { throw FaultRefusal("\(fault.target) has no connection just now") }
        await proxy.set(what)
        return Injected("\(fault.target) \(what)") { await proxy.set(nil) }
    }

    // MARK: - Messages

    /// Listens in on an inbox for a while and then sends what it heard again, or what was heard long ago.
    private func replay(_ fault: PlannedFault, _ random: ChaosRandom) async throws(FaultRefusal) -> Injected {
        let management = try management()
        let tap = MessageTap(management, inbox: fault.target, fault: fault.number)
        try await tap.listen()
        let messages = messages
        return .atEnd(fault.target) {
            var random = random
            let heard: [CapturedMessage]
            do throws(FaultRefusal) {
                heard = try await tap.close()
            } catch {
                return .nothing(error.reason)
            }
            let sent: [CapturedMessage]
            switch fault.kind {
            case .duplicateMessages: sent = heard.flatMap { Array(repeating: $0, count: 1 + Int(random.below(4))) }
            default: sent = messages.old(60, for: fault.target, &random)
            }
            // Only now: what was just heard is not old.
            messages.keep(heard)
            var count = 0
            for message in sent.prefix(200) {
                do throws(FaultRefusal) {
                    try await management.publish(message)
                    count += 1
                } catch {
                    break
                }
            }
            let note = "\(fault.target): \(count) messages"
            return count > 0 ? .done(note) : .nothing(note)
        }
    }

    /// Keeps from an inbox for a while what is sent to it, and hands it over in another order.
    private func reorder(_ fault: PlannedFault, _ random: ChaosRandom) async throws(FaultRefusal) -> Injected {
        let tap = MessageTap(try management(), inbox: fault.target, fault: fault.number)
        try await tap.hold()
        let messages = messages
        return .atEnd(fault.target) {
            var random = random
            let held: [CapturedMessage]
            do throws(FaultRefusal) {
                held = try await tap.release(&random)
            } catch {
                return .nothing(error.reason)
            }
            messages.keep(held)
            let note = "\(fault.target): \(held.count) messages"
            // One has no order.
            return held.count > 1 ? .done(note) : .nothing(note)
        }
    }

    private func poisonQueue(_ fault: PlannedFault, _ random: inout ChaosRandom) async throws(FaultRefusal) -> Injected
    {
        let management = try management()
        let count = 1 + Int(random.below(4))
        for index in 0..<count {
            let payload = random.pick(Poison.payloads) ?? []
            let id = "chaos-poison-\(fault.number)-\(index)"
            messages.noteSending(of: id, to: fault.target)
            try await management.publish(Poison.message(for: fault.target, id: id, payload: payload))
            messages.noteArrival(of: id)
        }
        return Injected("\(count) messages to \(fault.target)")
    }

    private func poisonTopic(_ fault: PlannedFault, _ random: inout ChaosRandom) async throws(FaultRefusal) -> Injected
    {
        let payload = random.pick(Poison.payloads(for: fault.target)) ?? []
        let id = "chaos-poison-\(fault.number)"
        let servers = installation.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? ""
        let client = KafkaClientConfiguration(bootstrapServers: servers, clientID: "chaos")
        let record = KafkaRecord(
            topic: fault.target,
            key: Array(id.utf8),
            value: payload,
            headers: Poison.attributes(id: id, type: "waybill.order.placed.v1").map {
                KafkaHeader($0.0, Array($0.1.utf8))
            }
        )
        messages.noteSending(of: id, to: fault.target)
        do {
            let producer = try KafkaProducer(
                configuration: KafkaProducerConfiguration(client: client),
                logger: Logger(label: "chaos") { _ in SwiftLogNoOpLogHandler() }
            )
            let result = await withTaskGroup(of: KafkaPublishResult?.self) { group in
                group.addTask {
                    try? await producer.run()
                    return nil
                }
                group.addTask { await producer.publish(record) }
                group.addTask {
                    try? await Task.sleep(for: .seconds(5))
                    return nil
                }
                let first = await group.next() ?? nil
                producer.shutdown()
                group.cancelAll()
                return first
            }
            guard case .persisted = result else { throw FaultRefusal("the event log did not take it") }
        } catch let refusal as FaultRefusal {
            throw refusal
        } catch {
            throw FaultRefusal("\(error)")
        }
        messages.noteArrival(of: id)
        return Injected("one record to \(fault.target)")
    }

    // MARK: - The gateway's callbacks

    private func callBack(_ fault: PlannedFault, _ random: inout ChaosRandom) async throws(FaultRefusal) -> Injected {
        let forger = try CallbackForger(installation)
        let entries = forger.recentEntries(60)
        guard !entries.isEmpty else { throw FaultRefusal("the gateway has done nothing yet") }
        var answered = 0
        switch fault.kind {
        case .forgedCallbacks:
            let signatures: [CallbackForger.Signature] = [.none, .wrongKey, .otherBody, .old]
            for signature in signatures {
                guard let entry = random.pick(entries) else { continue }
                let id = "cb_forged_\(fault.number)_\(signature)"
                guard let status = await forger.send(entry, id: id, signature) else { continue }
                answered += 1
                if (200..<300).contains(status) {
                    return Injected("\(signature)", violation: "a callback with signature “\(signature)” was taken")
                }
            }
        case .repeatedCallbacks:
            for entry in entries.shuffled(using: &random).prefix(30) {
                let id = "cb_\(entry["seq"]?.integerValue ?? 0)"
                for _ in 0...random.below(3) where await forger.send(entry, id: id, .right) != nil { answered += 1 }
            }
        default:
            // Rightly signed, about another amount, another order or a key that nobody used: nothing of it may be believed.
            for (index, entry) in entries.shuffled(using: &random).prefix(9).enumerated() {
                guard var object = entry.objectValue else { continue }
                switch index % 3 {
                case 0: object["amount"] = .integer((entry["amount"]?.integerValue ?? 0) + 1)
                case 1: object["reference"] = .string("00000000-0000-7000-8000-00000000000\(index)")
                default: object["key"] = .string("chaos-\(fault.number)-\(index)")
                }
                if await forger.send(.object(object), id: "cb_lie_\(fault.number)_\(index)", .right) != nil {
                    answered += 1
                }
            }
        }
        guard answered > 0 else { throw FaultRefusal("payment does not answer just now") }
        return Injected("\(answered) callbacks")
    }
}
