/// SplitMix64 (Steele, Lea, Flood 2014): the same seed, the same numbers, on every machine.
public struct SeededRandom: Sendable {
    private var state: UInt64

    /// Makes a stream.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A whole number from 0 up to, not including, `bound`; 0 when the bound is less than 2.
    public mutating func below(_ bound: Int) -> Int {
        bound < 2 ? 0 : Int(next() % UInt64(bound))
    }

    /// A whole number of a range.
    public mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.count)
    }

    /// True in `perMille` of 1,000 cases.
    public mutating func chance(_ perMille: Int) -> Bool {
        below(1000) < perMille
    }

    /// One of the elements; `nil` of none.
    public mutating func pick<C: RandomAccessCollection>(_ elements: C) -> C.Element? where C.Index == Int {
        elements.isEmpty ? nil : elements[elements.startIndex + below(elements.count)]
    }

    /// A stream of its own that begins at this point of this one.
    public mutating func fork() -> SeededRandom { SeededRandom(seed: next()) }
}
