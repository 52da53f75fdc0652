import Glibc
import Synchronization

@testable import RabbitMQ

/// A server that speaks just enough AMQP to let a client in, and then sends what a test wants: bytes that no real broker sends.
///
/// The first connection gets the script's bytes at its trigger; later ones are served properly (publishes are confirmed).
final class ScriptedBroker: Sendable {
    /// When the script's bytes are sent.
    enum Trigger: Sendable {
        case publish, consume
        /// Never: the first connection forgets its first publish instead, and confirms the later ones.
        case forgottenPublish
    }

    let port: UInt16
    private let listener: Int32
    private let script: [UInt8]
    private let trigger: Trigger
    private let accepted = Mutex(0)
    private let received = Mutex(0)

    /// How many connections there have been.
    var connections: Int { accepted.withLock { $0 } }

    /// How many publishes there have been.
    var publishes: Int { received.withLock { $0 } }

    init?(_ trigger: Trigger, _ script: [UInt8]) {
        self.trigger = trigger
        self.script = script
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard isListening, OwnerThread.start(name: "scripted-broker", { [self] in serve() }) else { return nil }
    }

    /// Ends the server's thread; connections that are open end with their clients.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func serve() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { break }
            let number = accepted.withLock { count in
                count += 1
                return count
            }
            _ = OwnerThread.start(name: "scripted-client") { [self] in
                converse(client, isScripted: number == 1)
                close(client)
            }
        }
        close(listener)
    }

    static func frame(_ kind: UInt8, _ channel: UInt16, _ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [kind]
        bytes.appendBigEndian(channel)
        bytes.appendBigEndian(UInt32(payload.count))
        return bytes + payload + [0xCE]
    }

    static func method(_ channel: UInt16, _ classID: UInt16, _ methodID: UInt16, _ arguments: [UInt8]) -> [UInt8] {
        var payload: [UInt8] = []
        payload.appendBigEndian(classID)
        payload.appendBigEndian(methodID)
        return frame(1, channel, payload + arguments)
    }

    private func converse(_ client: Int32, isScripted: Bool) {
        var header = [UInt8](repeating: 0, count: 8)
        guard recv(client, &header, 8, Int32(MSG_WAITALL)) == 8 else { return }
        let start: [UInt8] = [0, 9, 0, 0, 0, 0, 0, 0, 0, 5] + Array("PLAIN".utf8) + [0, 0, 0, 5] + Array("en_US".utf8)
        send(client, Self.method(0, 10, 10, start))
        var decoder = FrameDecoder(maximumFrameSize: 1 << 20)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var confirmed: UInt64 = 0
        while true {
            let count = recv(client, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            buffer[..<count].withUnsafeBytes { decoder.append($0) }
            while let frame = try? decoder.next() {
                var reader = frame.payload
                guard frame.kind == .method, let classID = reader.uint16(), let methodID = reader.uint16() else {
                    continue
                }
                let channel = frame.channel
                switch (classID, methodID) {
                case (10, 11): send(client, Self.method(0, 10, 30, [7, 255, 0, 2, 0, 0, 0, 5]))
                case (10, 40): send(client, Self.method(0, 10, 41, [0]))
                case (10, 50): send(client, Self.method(0, 10, 51, []))
                case (20, 10): send(client, Self.method(channel, 20, 11, [0, 0, 0, 0]))
                case (85, 10): send(client, Self.method(channel, 85, 11, []))
                case (60, 10): send(client, Self.method(channel, 60, 11, []))
                case (60, 20):
                    _ = reader.uint16()
                    _ = reader.shortString()
                    var tag: [UInt8] = []
                    _ = tag.appendShortString(reader.shortString() ?? "")
                    send(client, Self.method(channel, 60, 21, tag))
                    if isScripted, trigger == .consume { send(client, script) }
                case (60, 40):
                    received.withLock { $0 += 1 }
                    if isScripted, trigger == .publish {
                        send(client, script)
                    } else {
                        confirmed += 1
                        if isScripted, trigger == .forgottenPublish, confirmed == 1 { continue }
                        var arguments: [UInt8] = []
                        arguments.appendBigEndian(confirmed)
                        send(client, Self.method(channel, 60, 80, arguments + [0]))
                    }
                default: continue
                }
            }
        }
    }

    private func send(_ client: Int32, _ bytes: [UInt8]) {
        _ = Glibc.send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
