import Foundation
import RabbitMQ
import Synchronization
import Testing

/// A broker of the suite's own, which it may freeze, kill and starve. Started by `scripts/lib/rabbitmq.sh`.
final class PrivateNode: Sendable {
    let directory: URL
    private let script: String
    private let process: Mutex<Process?> = Mutex(nil)

    init() throws {
        let environment = ProcessInfo.processInfo.environment
        script =
            environment["RABBITMQ_TEST_SCRIPT"]
            ?? URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../scripts/lib/rabbitmq.sh")
            .path
        directory = FileManager.default.temporaryDirectory.appending(path: Broker.uniqueName("node"))
        let ports = try Self.freePorts(5)
        let options = ["--amqp-port", "--management-port", "--prometheus-port", "--dist-port", "--epmd-port"]
        try run(["prepare", directory.path] + zip(options, ports).flatMap { [$0, "\($1)"] })
    }

    var url: String { get throws { try run(["url", directory.path, "waybill"]) } }
    func url(user: String) throws -> String { try run(["url", directory.path, user]) }

    func start() throws {
        let server = Process()
        server.executableURL = URL(filePath: script)
        server.arguments = ["run", directory.path]
        let log = directory.appending(path: "node.log")
        if !FileManager.default.fileExists(atPath: log.path) {
            _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        }
        let output = try FileHandle(forWritingTo: log)
        try output.seekToEnd()
        server.standardOutput = output
        server.standardError = output
        try server.run()
        process.withLock { $0 = server }
        try run(["await", directory.path, "60", "\(server.processIdentifier)"])
    }

    func signal(_ number: Int32) {
        process.withLock { server in _ = server.map { kill($0.processIdentifier, number) } }
    }

    /// Kills the server as `kill -9` does, and waits until it is gone.
    func crash() {
        signal(SIGKILL)
        process.withLock { $0?.waitUntilExit() }
    }

    func control(_ arguments: String...) throws { try run(["ctl", directory.path] + arguments) }

    func remove() {
        _ = try? run(["stop", directory.path, "1"])
        try? FileManager.default.removeItem(at: directory)
    }

    @discardableResult
    private func run(_ arguments: [String]) throws -> String {
        let command = Process()
        command.executableURL = URL(filePath: script)
        command.arguments = arguments
        let output = Pipe()
        command.standardOutput = output
        try command.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        command.waitUntilExit()
        try #require(command.terminationStatus == 0, "rabbitmq.sh \(arguments.first ?? "") failed")
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Ports that nobody listens on, all taken at once so that they differ.
    private static func freePorts(_ count: Int) throws -> [UInt16] {
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        return try (0..<count).map { _ in
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            sockets.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
            try #require(isBound)
            return UInt16(bigEndian: address.sin_port)
        }
    }
}

/// The ids that the broker has confirmed.
private final class ConfirmedIDs: Sendable {
    private let ids = Mutex<Set<String>>([])
    var all: Set<String> { ids.withLock { $0 } }
    func add(_ new: [String]) { ids.withLock { $0.formUnion(new) } }
}

@Suite(.enabled(if: Broker.isAvailable, "AMQP_TEST_URL is not set"), .serialized, .timeLimit(.minutes(4)))
struct FaultTests {
    private func withNode(_ body: (PrivateNode) async throws -> Void) async throws {
        let node = try PrivateNode()
        defer { node.remove() }
        try node.start()
        try await body(node)
    }

    @Test func blockedPublisherDoesNotStopAConsumer() async throws {
        try await withNode { node in
            let fixture = try Fixture("blocked.inbox", url: try node.url)
            let publisher = fixture.publisher()
            let impatient = fixture.publisher({ $0.publishTimeout = .seconds(1) })
            let consumer = fixture.consumer()
            try await running([publisher.run, impatient.run, consumer.run]) {
                #expect(await publisher.publish((0..<100).map { fixture.message($0) }).areAllConfirmed)
                var held: [RabbitMQDelivery] = []
                while held.count < 100 { held += try await consumer.nextBatch(max: 100) }
                let states = publisher.states()
                try node.control("set_vm_memory_high_watermark", "0.00000001")
                // The broker tells a connection when it publishes.
                async let delayed = publisher.publish([fixture.message(100)])
                async let abandoned = impatient.publish((0..<10).map { fixture.message(200 + $0) })
                try await state(of: states) { if case .blocked = $0 { return true } else { return false } }
                #expect(await abandoned.allSatisfy { $0 == .unknown || $0 == .notConnected })
                #expect(await consumer.settle(held.map { .ack($0) }) == held.map { _ in .settled })
                try await eventually { try await fixture.depth() == 0 }
                let unblocked = publisher.states()
                try node.control("set_vm_memory_high_watermark", "0.4")
                try await state(of: unblocked) { $0 == .ready }
                #expect(await delayed == [.confirmed])
                try await eventually { await publisher.publish([fixture.message(101)]) == [.confirmed] }
            }
        }
    }

    /// The broker keeps what it must dead-letter until the queue for it is there again (D2).
    @Test func rejectedMessagesWaitWhileTheirDeadLetterQueueIsMissing() async throws {
        try await withNode { node in
            // How often the broker tries again; three minutes by default.
            try node.control("eval", "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 500).")
            let fixture = try Fixture("headless.inbox", url: try node.url)
            let publisher = fixture.publisher()
            let consumer = fixture.consumer()
            try await running([publisher.run, consumer.run]) {
                #expect(await publisher.publish((0..<20).map { fixture.message($0) }).areAllConfirmed)
                var held: [RabbitMQDelivery] = []
                while held.count < 20 { held += try await consumer.nextBatch(max: 20) }
                try await fixture.administration.delete(queue: fixture.names.dead)
                #expect(await consumer.settle(held.map { .reject($0) }) == held.map { _ in .settled })
                // They are handled no more, and not gone: good ones still pass.
                #expect(await publisher.publish([fixture.message(99)]) == [.confirmed])
                let good = try await within(.seconds(20)) { try await consumer.nextBatch(max: 1) }
                #expect(good.map(\.properties.messageID) == ["99"])
                await consumer.settle(good.map { .ack($0) })
                #expect(try await fixture.depth(fixture.names.dead) == nil)
                try await fixture.administration.declare(fixture.topology)
                try await eventually(.seconds(60)) { try await fixture.depth(fixture.names.dead) == 20 }
            }
        }
    }

    @Test func nothingConfirmedIsLostWhenTheBrokerIsKilled() async throws {
        try await withNode { node in
            let fixture = try Fixture("crash.inbox", url: try node.url)
            let publisher = fixture.publisher({ $0.publishTimeout = .seconds(3) })
            let confirmed = ConfirmedIDs()
            try await running([publisher.run]) {
                try await publisher.waitUntilReady()
                for round in 0..<3 {
                    let load = Task {
                        var next = round * 1_000_000
                        while !Task.isCancelled {
                            let messages = (next..<next + 100).map {
                                fixture.message($0, body: Array(repeating: 1, count: 600))
                            }
                            next += 100
                            let results = await publisher.publish(messages)
                            let ids = zip(messages, results).filter { $1.isConfirmed }.compactMap {
                                $0.0.properties.messageID
                            }
                            confirmed.add(ids)
                        }
                    }
                    let before = confirmed.all.count
                    try await eventually { confirmed.all.count > before + 1_000 }
                    node.crash()
                    load.cancel()
                    try node.start()
                    try await within(.seconds(20)) { try await publisher.waitUntilReady() }
                    await load.value
                }
                #expect(await publisher.publish([fixture.message(-1)]).areAllConfirmed)
            }
            let expected = confirmed.all
            #expect(expected.count > 3_000)
            let consumer = fixture.consumer(prefetch: 500)
            try await running([consumer.run]) {
                let missing = try await within(.seconds(60)) {
                    var missing = expected
                    while !missing.isEmpty {
                        let batch = try await consumer.nextBatch(max: 500)
                        for delivery in batch { missing.remove(delivery.properties.messageID ?? "") }
                        await consumer.settle(batch.map { .ack($0) })
                    }
                    return missing
                }
                #expect(missing.isEmpty)
            }
        }
    }

    @Test func frozenBrokerIsNoticed() async throws {
        try await withNode { node in
            let fixture = try Fixture("frozen.inbox", url: try node.url)
            var configuration = fixture.configuration
            configuration.heartbeat = .seconds(1)
            configuration.connectTimeout = .seconds(1)
            let publisher = fixture.publisher(configuration: configuration)
            try await running([publisher.run]) {
                #expect(await publisher.publish([fixture.message(1)]) == [.confirmed])
                let states = publisher.states()
                node.signal(SIGSTOP)
                async let results = publisher.publish((0..<50).map { fixture.message($0) })
                try await state(of: states, .seconds(6)) { state in
                    if case .disconnected(let error, _) = state { return error.code == .heartbeatTimeout }
                    return false
                }
                #expect(await results.allSatisfy { $0 == .unknown })
                node.signal(SIGCONT)
                try await eventually { await publisher.publish([fixture.message(2)]) == [.confirmed] }
            }
        }
    }

    @Test func serviceUsersHaveOnlyTheirRights() async throws {
        try await withNode { node in
            let payment = try Fixture("payment.inbox", url: try node.url(user: "payment"))
            let order = try Fixture("order.inbox", url: try node.url(user: "order"))
            try await payment.administration.declare(payment.topology)
            try await order.administration.declare(order.topology)
            await #expect { try await order.administration.declare(payment.topology) } throws: {
                ($0 as? RabbitMQError)?.code == .accessRefused
            }
            await #expect { try await order.administration.purge(queue: "payment.inbox") } throws: {
                ($0 as? RabbitMQError)?.code == .accessRefused
            }
            let publisher = order.publisher()
            try await running([publisher.run]) {
                var message = payment.message(1)
                #expect(await publisher.publish([message]) == [.confirmed])
                message.exchange = payment.names.dead
                let results = await publisher.publish([order.message(1), message, order.message(2)])
                #expect(results[0] == .confirmed || results[0] == .unknown)
                guard case .refused(403, _) = results[1] else {
                    Issue.record("\(results[1])")
                    return
                }
                #expect(results[2] == .confirmed)
            }
            let elsewhere = try Fixture("x", url: try node.url(user: "order").replacing("/waybill", with: "/%2f"))
            await #expect { try await elsewhere.depth() } throws: {
                ($0 as? RabbitMQError)?.code == .accessRefused
            }
        }
    }
}
