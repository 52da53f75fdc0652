/// Which deliveries of one channel are not settled yet, and how to settle many with few frames.
///
/// Each delivery goes `outstanding → settled` once. A run of acknowledged deliveries at the front becomes one `basic.ack`
/// with `multiple`; everything behind a gap is acknowledged one by one. Refusals are sent first, so that a `multiple` behind
/// them cannot swallow them.
///
/// Bound: at most `limit` (the prefetch) outstanding deliveries; a broker that sends more breaks the protocol.
struct AckLedger {
    /// What to do with a delivery.
    enum Action: Sendable, Hashable {
        case ack, requeue, reject
    }

    /// One frame to be sent.
    enum Frame: Sendable, Hashable {
        case ack(tag: UInt64, multiple: Bool)
        case nack(tag: UInt64, requeue: Bool)
    }

    /// What a call of ``settle(_:)`` results in.
    struct Settled: Sendable, Hashable {
        /// To be sent in this order.
        var frames: [Frame] = []
        /// For each request, whether it was outstanding.
        var accepted: [Bool] = []
    }

    private struct Slot {
        let tag: UInt64
        var isSettled = false
    }

    private let limit: Int
    /// Ordered by tag.
    private var slots: [Slot] = []
    private var head = 0
    private var lastTag: UInt64 = 0
    /// How many deliveries are not settled.
    private(set) var outstanding = 0

    init(limit: Int) { self.limit = limit }

    /// A delivery arrived. False when the tag is not new or there are more than the prefetch allows.
    mutating func delivered(tag: UInt64) -> Bool {
        guard tag > lastTag, outstanding < limit else { return false }
        lastTag = tag
        slots.append(Slot(tag: tag))
        outstanding += 1
        return true
    }

    /// Settles deliveries; tags that are unknown or settled already are not accepted and produce nothing.
    mutating func settle(_ requests: [(tag: UInt64, action: Action)]) -> Settled {
        var result = Settled()
        result.accepted.reserveCapacity(requests.count)
        var acknowledged: Set<UInt64> = []
        for request in requests {
            guard let index = index(of: request.tag), !slots[index].isSettled else {
                result.accepted.append(false)
                continue
            }
            slots[index].isSettled = true
            outstanding -= 1
            result.accepted.append(true)
            switch request.action {
            case .ack: acknowledged.insert(request.tag)
            case .requeue: result.frames.append(.nack(tag: request.tag, requeue: true))
            case .reject: result.frames.append(.nack(tag: request.tag, requeue: false))
            }
        }
        appendAcks(acknowledged, to: &result.frames)
        return result
    }

    private mutating func appendAcks(_ acknowledged: Set<UInt64>, to frames: inout [Frame]) {
        var inPrefix = 0
        var lastInPrefix: UInt64 = 0
        while head < slots.count, slots[head].isSettled {
            if acknowledged.contains(slots[head].tag) {
                inPrefix += 1
                lastInPrefix = slots[head].tag
            }
            head += 1
        }
        if inPrefix > 0 { frames.append(.ack(tag: lastInPrefix, multiple: inPrefix > 1)) }
        if inPrefix < acknowledged.count {
            for tag in acknowledged.sorted() where tag > lastInPrefix {
                frames.append(.ack(tag: tag, multiple: false))
            }
        }
        if head == slots.count {
            slots.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 256, head * 2 >= slots.count {
            slots.removeFirst(head)
            head = 0
        }
    }

    private func index(of tag: UInt64) -> Int? {
        var low = head
        var high = slots.count
        while low < high {
            let middle = low + (high - low) / 2
            if slots[middle].tag < tag { low = middle + 1 } else { high = middle }
        }
        return low < slots.count && slots[low].tag == tag ? low : nil
    }
}
