/// Which publishes of one channel wait for their confirm: the state machine of publisher confirms.
///
/// The broker numbers the publishes of a channel 1, 2, 3 …. Each entry goes
/// `sent → (returned) → acknowledged | refused`; a whole table ends by ``drain()`` when its channel is gone. Confirms may
/// come out of order and for several at once (`multiple`). Nothing that a peer sends can trap: what makes no sense is
/// ``Outcome/violation(_:)``, and the owner closes the connection.
///
/// Bound: the publisher's window limits the number of entries.
struct ConfirmTable<Entry> {
    /// What a confirm means for the entries.
    enum Outcome {
        /// These entries are finished, in the order of their publishing. `returned` is set when a `basic.return` came first.
        case finished([(entry: Entry, returned: Return?)])
        /// The peer broke the protocol.
        case violation(String)
    }

    /// The reason of a `basic.return`.
    struct Return: Equatable {
        let code: UInt16
        let text: String
    }

    private struct Slot {
        var entry: Entry
        var returned: Return?
    }

    /// `slots[i]` is the publish with tag `firstTag + i`; nil when it is finished.
    private var slots: [Slot?] = []
    private var head = 0
    private var firstTag: UInt64 = 1
    /// How many entries wait.
    private(set) var count = 0

    /// The entry that has waited longest.
    var oldest: Entry? { head < slots.count ? slots[head]?.entry : nil }

    private var nextTag: UInt64 { firstTag + UInt64(slots.count - head) }

    /// Adds a publish and returns its delivery tag. To be called in the order in which the publishes are sent.
    @discardableResult
    mutating func add(_ entry: Entry) -> UInt64 {
        let tag = nextTag
        slots.append(Slot(entry: entry))
        count += 1
        return tag
    }

    /// A `basic.ack` or `basic.nack` arrived. Tag 0 with `multiple` means all (AMQP 0-9-1).
    mutating func confirm(tag: UInt64, multiple: Bool) -> Outcome {
        if tag == 0 {
            guard multiple else { return .violation("a confirm for delivery tag 0") }
            return .finished(take(upTo: nextTag - 1))
        }
        guard tag < nextTag else { return .violation("a confirm for delivery tag \(tag), which was never used") }
        if multiple { return .finished(take(upTo: tag)) }
        // A second confirm for the same tag changes nothing: the first one counted.
        guard tag >= firstTag else { return .finished([]) }
        let index = head + Int(tag - firstTag)
        guard let slot = slots[index] else { return .finished([]) }
        slots[index] = nil
        count -= 1
        dropFinishedPrefix()
        return .finished([(slot.entry, slot.returned)])
    }

    /// A `basic.return` arrived. It carries no tag: it belongs to the oldest waiting entry that `matches` and has no return
    /// yet, since the broker handles publishes in order. Returns false when there is none.
    mutating func markReturned(_ reason: Return, where matches: (Entry) -> Bool) -> Bool {
        for index in head..<slots.count {
            guard let slot = slots[index], slot.returned == nil, matches(slot.entry) else { continue }
            slots[index]?.returned = reason
            return true
        }
        return false
    }

    /// Removes everything that waits, in order: the channel or the connection is gone.
    mutating func drain() -> [(entry: Entry, returned: Return?)] {
        let all = slots[head...].compactMap { slot in slot.map { ($0.entry, $0.returned) } }
        self = ConfirmTable()
        return all
    }

    /// Lets the owner change entries in place (deadlines).
    mutating func update(_ change: (inout Entry) -> Void) {
        for index in head..<slots.count where slots[index] != nil {
            if var slot = slots[index] {
                change(&slot.entry)
                slots[index] = slot
            }
        }
    }

    private mutating func take(upTo tag: UInt64) -> [(entry: Entry, returned: Return?)] {
        guard tag >= firstTag else { return [] }
        let end = head + Int(min(tag - firstTag + 1, UInt64(slots.count - head)))
        var taken: [(entry: Entry, returned: Return?)] = []
        taken.reserveCapacity(end - head)
        for index in head..<end {
            if let slot = slots[index] {
                taken.append((slot.entry, slot.returned))
                slots[index] = nil
            }
        }
        count -= taken.count
        dropFinishedPrefix()
        return taken
    }

    private mutating func dropFinishedPrefix() {
        while head < slots.count, slots[head] == nil {
            head += 1
            firstTag += 1
        }
        if head == slots.count {
            slots.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 256, head * 2 >= slots.count {
            slots.removeFirst(head)
            head = 0
        }
    }
}
