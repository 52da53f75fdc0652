import NIOCore

/// Finds the bytes of a stream at which damage must be noticed. Pure; fed with the stream's pieces in order.
struct FrameScanner {
    /// Kafka frames smaller than this carry no records worth damaging.
    static let smallestDamagedFrame = 512

    private let framing: Framing
    /// What is known of the frame at hand: its header's bytes so far.
    private var header: [UInt8] = []
    /// Bytes of the present frame that are still to come, after its header.
    private var left = 0
    private var isLarge = false
    private var hasBegun = false

    init(_ framing: Framing) {
        self.framing = framing
    }

    /// The offsets in `piece` at which a changed byte is noticed by the receiver.
    mutating func vulnerable(in piece: some Collection<UInt8>) -> [Int] {
        switch framing {
        case .http: httpStart(piece)
        case .amqp: ends(in: piece, headerLength: 7, size: { big($0[3..<7]) + 1 }, counts: { _ in true })
        case .kafka:
            ends(in: piece, headerLength: 4, size: { big($0[0..<4]) }, counts: { $0 >= Self.smallestDamagedFrame })
        }
    }

    private func httpStart(_ piece: some Collection<UInt8>) -> [Int] {
        let starts = ["HTTP/1.", "GET /", "POST /", "PUT /", "DELETE /"]
        return starts.contains { piece.starts(with: $0.utf8) } ? [0] : []
    }

    /// The last byte of each frame that ends in the piece.
    private mutating func ends(
        in piece: some Collection<UInt8>,
        headerLength: Int,
        size: ([UInt8]) -> Int,
        counts: (Int) -> Bool
    ) -> [Int] {
        var found: [Int] = []
        var offset = 0
        var rest = piece[...]
        while !rest.isEmpty {
            if left == 0 {
                // An AMQP client greets with eight bytes that are no frame.
                let length =
                    framing == .amqp && !hasBegun && (header.first ?? rest.first) == UInt8(ascii: "A")
                    ? 8 : headerLength
                let taken = rest.prefix(length - header.count)
                header += taken
                offset += taken.count
                rest = rest.dropFirst(taken.count)
                guard header.count == length else { break }
                hasBegun = true
                if length == headerLength {
                    left = max(0, size(header))
                    isLarge = counts(left)
                }
                header.removeAll(keepingCapacity: true)
            } else {
                let taken = min(left, rest.count)
                left -= taken
                offset += taken
                rest = rest.dropFirst(taken)
                if left == 0, isLarge { found.append(offset - 1) }
            }
        }
        return found
    }
}

/// A big-endian number of up to four bytes.
private func big(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.reduce(0) { $0 << 8 | Int($1) }
}
