import NIOCore

/// What a fault makes of the bytes of one direction: which pieces arrive when. Pure: time and randomness come in as values.
struct FlowShaper {
    /// Bytes that may go on at a time.
    struct Piece: Equatable {
        var due: NIODeadline
        var bytes: ByteBuffer
    }

    /// What became of a chunk.
    struct Outcome: Equatable {
        var pieces: [Piece] = []
        /// Bytes were lost: the connection must not live on after the fault.
        var isHoled = false
        /// The connection is reset after the pieces.
        var endsInReset = false
    }

    /// How much of each chunk is cut into fragments by ``LinkFault/slice(largest:)``.
    static let slicedPrefix = 256

    private let direction: LinkFault.Direction
    private var scanner: FrameScanner
    private var random: ProxyRandom
    private var lastDue = NIODeadline.uptimeNanoseconds(0)
    private var passed = 0

    init(_ direction: LinkFault.Direction, framing: Framing, seed: UInt64) {
        self.direction = direction
        scanner = FrameScanner(framing)
        random = ProxyRandom(state: seed)
    }

    /// A fault begins or ends.
    mutating func faultChanged() {
        passed = 0
    }

    /// Decides about a chunk.
    mutating func shape(_ chunk: ByteBuffer, under fault: LinkFault?, at now: NIODeadline) -> Outcome {
        let vulnerable = scanner.vulnerable(in: chunk.readableBytesView)
        var chunk = chunk
        switch fault {
        case nil, .stall, .reset, .refuse, .flap:
            return Outcome(pieces: [piece(chunk, due: now)])
        case .latency(let delay, let jitter):
            let extra = jitter > .zero ? Int64(random.next() % UInt64(max(1, jitter.wholeNanoseconds))) : 0
            return Outcome(pieces: [piece(chunk, due: now + .nanoseconds(delay.wholeNanoseconds + extra))])
        case .bandwidth(let rate):
            let cost = Int64(Double(chunk.readableBytes) / Double(max(1, rate)) * 1_000_000_000)
            return Outcome(pieces: [piece(chunk, due: max(now, lastDue) + .nanoseconds(cost))])
        case .blackhole:
            return Outcome(isHoled: true)
        case .oneWayCut(let cut):
            return cut == direction ? Outcome(isHoled: true) : Outcome(pieces: [piece(chunk, due: now)])
        case .slice(let largest):
            return Outcome(pieces: fragments(&chunk, upTo: max(1, largest), at: now))
        case .limit(let bytes):
            let room = max(0, bytes - passed)
            passed += chunk.readableBytes
            guard chunk.readableBytes > room else { return Outcome(pieces: [piece(chunk, due: now)]) }
            let last = chunk.readSlice(length: room).map { [piece($0, due: now)] } ?? []
            return Outcome(pieces: last, isHoled: true, endsInReset: true)
        case .damage(let oneIn):
            // Drawn for each frame, the first one too: a connection whose greeting were always damaged would never come about.
            for offset in vulnerable where random.next() % UInt64(max(1, oneIn)) == 0 {
                let index = chunk.readerIndex + offset
                if let byte = chunk.getInteger(at: index, as: UInt8.self) {
                    chunk.setInteger(byte ^ 0x55, at: index)
                }
            }
            return Outcome(pieces: [piece(chunk, due: now)])
        }
    }

    /// Order is kept whatever the delays are.
    private mutating func piece(_ bytes: ByteBuffer, due: NIODeadline) -> Piece {
        lastDue = max(lastDue, due)
        return Piece(due: lastDue, bytes: bytes)
    }

    private mutating func fragments(_ chunk: inout ByteBuffer, upTo largest: Int, at now: NIODeadline) -> [Piece] {
        var pieces: [Piece] = []
        var sliced = 0
        while sliced < Self.slicedPrefix, chunk.readableBytes > 0 {
            let length = min(chunk.readableBytes, 1 + Int(random.next() % UInt64(largest)))
            guard let part = chunk.readSlice(length: length) else { break }
            sliced += length
            // A little apart, or the kernel would put them together again.
            pieces.append(piece(part, due: max(now, lastDue) + .microseconds(200)))
        }
        if chunk.readableBytes > 0 { pieces.append(piece(chunk, due: max(now, lastDue))) }
        return pieces
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed, the same numbers.
struct ProxyRandom {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension Duration {
    /// Whole nanoseconds, 0 to about 292 years.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, seconds < 9_000_000_000 else { return seconds < 0 ? 0 : .max / 2 }
        return max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
