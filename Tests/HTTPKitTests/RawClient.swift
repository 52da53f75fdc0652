import NIOCore
import NIOPosix

/// A TCP client that says exactly what it is told, for requests that no HTTP client would make.
struct RawClient {
    let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    static func connect(_ port: Int) async throws -> RawClient {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return RawClient(channel: channel)
    }

    /// Sends `pieces`, each as its own write, and reads until the server closes.
    static func exchange(_ port: Int, _ pieces: [String], pause: Duration = .zero) async throws -> String {
        try await exchange(port, pieces.map { Array($0.utf8) }, pause: pause)
    }

    static func exchange(_ port: Int, _ pieces: [[UInt8]], pause: Duration = .zero) async throws -> String {
        let client = try await connect(port)
        return try await client.channel.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: String?.self) { group in
                group.addTask {
                    for piece in pieces {
                        // The server may have closed already: that is for the reading side to see.
                        do { try await outbound.write(ByteBuffer(bytes: piece)) } catch { break }
                        if pause > .zero { try? await Task.sleep(for: pause) }
                        if Task.isCancelled { break }
                    }
                    return nil
                }
                group.addTask {
                    var text = ""
                    do {
                        for try await buffer in inbound { text += String(buffer: buffer) }
                    } catch is IOError {
                        return text + "<reset>"
                    }
                    return text
                }
                var result = ""
                while let next = try await group.next() {
                    if let next {
                        result = next
                        group.cancelAll()
                    }
                }
                return result
            }
        }
    }
}
