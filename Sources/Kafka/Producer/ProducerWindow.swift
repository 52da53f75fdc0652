/// How much is handed to the library and not yet settled: a value, without I/O.
struct ProducerWindow: Sendable {
    let maxMessages: Int
    let maxBytes: Int
    private(set) var messages = 0
    private(set) var bytes = 0

    init(maxMessages: Int, maxBytes: Int) {
        self.maxMessages = max(1, maxMessages)
        self.maxBytes = max(1, maxBytes)
    }

    /// Whether a record of that size may go now. A record above the whole window goes when it is alone.
    func admits(bytes size: Int) -> Bool {
        messages == 0 || (messages < maxMessages && bytes + size <= maxBytes)
    }

    mutating func add(bytes size: Int) {
        messages += 1
        bytes += size
    }

    mutating func remove(bytes size: Int) {
        messages -= 1
        bytes -= size
    }

    mutating func reset() {
        messages = 0
        bytes = 0
    }
}

/// How long to wait before the n-th replacement of a broken handle in a row: none, then 100 ms doubling up to 5 s.
///
/// A success in between starts over. Without it, a broker that breaks every new producer would be asked in a hot loop.
struct RecreationBackoff: Sendable {
    private var failures = 0

    mutating func succeeded() { failures = 0 }

    mutating func next() -> Duration {
        defer { failures = min(failures + 1, 16) }
        guard failures > 0 else { return .zero }
        return min(.seconds(5), .milliseconds(100) * (1 << (failures - 1)))
    }
}

/// A queue with cheap removal at the front.
struct Fifo<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { head < elements.count ? elements[head] : nil }

    mutating func append(contentsOf more: [Element]) {
        elements.append(contentsOf: more)
    }

    mutating func removeFirst() {
        guard head < elements.count else { return }
        elements[head] = nil
        head += 1
        // At most half of the array is behind the head, so each element is moved once on average.
        if head > 32, head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
    }

    mutating func removeAll(where isOut: (Element) -> Bool) {
        elements = elements[head...].filter { element in element.map { !isOut($0) } ?? false }
        head = 0
    }

    mutating func takeAll() -> [Element] {
        defer {
            elements.removeAll()
            head = 0
        }
        return elements[head...].compactMap { $0 }
    }
}
