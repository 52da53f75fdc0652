import NIOCore

/// Keeps the clients of a Kafka server behind the proxy: in the server's answers, `127.0.0.1` with the server's port becomes
/// `127.0.0.1` with the proxy's. Lengths stay the same. Pure; fed with the answers' bytes in order.
struct AddressRewriter {
    /// Larger frames carry records, not addresses, and pass as they come.
    static let largestSearched = 64 << 10

    private let wanted: [UInt8]
    private let replacement: [UInt8]
    private var held = ByteBuffer()
    /// Bytes of a large frame that are still to pass.
    private var passing = 0

    init(server: Int, proxy: Int) {
        func address(_ port: Int) -> [UInt8] {
            [0, 9] + Array("127.0.0.1".utf8) + [0, 0, UInt8(port >> 8 & 0xff), UInt8(port & 0xff)]
        }
        wanted = address(server)
        replacement = address(proxy)
    }

    /// Takes a piece of the stream; returns what can be passed on. Holds back the beginning of a small frame until it is whole.
    mutating func feed(_ piece: ByteBuffer) -> ByteBuffer {
        var piece = piece
        held.writeBuffer(&piece)
        var out = ByteBuffer()
        while held.readableBytes > 0 {
            if passing > 0 {
                let length = min(passing, held.readableBytes)
                guard var part = held.readSlice(length: length) else { break }
                passing -= length
                out.writeBuffer(&part)
                continue
            }
            guard let size = held.getInteger(at: held.readerIndex, as: Int32.self) else { break }
            let whole = 4 + max(0, Int(size))
            if whole > Self.largestSearched {
                passing = whole
            } else {
                guard let frame = held.readBytes(length: whole) else { break }
                out.writeBytes(rewritten(frame))
            }
        }
        held.discardReadBytes()
        return out
    }

    private func rewritten(_ frame: [UInt8]) -> [UInt8] {
        guard frame.count >= wanted.count else { return frame }
        var frame = frame
        var index = 0
        while index <= frame.count - wanted.count {
            // The first byte of the text is rare, the length before it is not.
            if frame[index + 2] == wanted[2], frame[index..<index + wanted.count].elementsEqual(wanted) {
                frame.replaceSubrange(index..<index + wanted.count, with: replacement)
                index += wanted.count
            } else {
                index += 1
            }
        }
        return frame
    }
}
