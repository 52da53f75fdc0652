/// A queue with amortised constant-time append and removal at the front. Holds no more memory than about twice its content.
struct FIFO<Element> {
    private var storage: [Element?] = []
    private var head = 0

    var count: Int { storage.count - head }
    var isEmpty: Bool { head == storage.count }
    var first: Element? { isEmpty ? nil : storage[head] }

    mutating func append(_ element: Element) { storage.append(element) }

    mutating func append(contentsOf elements: some Sequence<Element>) {
        for element in elements { storage.append(element) }
    }

    /// Puts elements back at the front, in their order.
    mutating func prepend(contentsOf elements: [Element]) {
        guard !elements.isEmpty else { return }
        storage.replaceSubrange(0..<head, with: elements.map { Optional($0) })
        head = 0
    }

    mutating func popFirst() -> Element? {
        guard head < storage.count else { return nil }
        let element = storage[head]
        storage[head] = nil
        head += 1
        compactIfWorthIt()
        return element
    }

    mutating func popFirst(_ maximum: Int) -> [Element] {
        let number = min(max(maximum, 0), count)
        guard number > 0 else { return [] }
        var taken: [Element] = []
        taken.reserveCapacity(number)
        for _ in 0..<number {
            if let element = popFirst() { taken.append(element) }
        }
        return taken
    }

    mutating func removeAll() -> [Element] {
        let all = storage[head...].compactMap { $0 }
        storage = []
        head = 0
        return all
    }

    /// Removes and returns the elements that satisfy the predicate; the others keep their order.
    mutating func remove(where predicate: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        var kept: [Element?] = []
        for case .some(let element) in storage[head...] {
            if predicate(element) { removed.append(element) } else { kept.append(element) }
        }
        storage = kept
        head = 0
        return removed
    }

    private mutating func compactIfWorthIt() {
        if head == storage.count {
            storage.removeAll(keepingCapacity: storage.count <= 4_096)
            head = 0
        } else if head >= 64, head * 2 >= storage.count {
            storage.removeFirst(head)
            head = 0
        }
    }
}
