/// The services of the simulated world, in the order in which they are started.
enum ServiceName: String, Sendable, CaseIterable, CustomStringConvertible {
    case inventory, order, payment, notification, analytics

    /// Spelled out, because the default goes through reflection and stands in a line of every step.
    var description: String { rawValue }
}

/// The simulation itself cannot go on: a mistake in the simulation or in its use, not in what it simulates.
public struct SimulationFault: Error, CustomStringConvertible {
    /// What is wrong, in one sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}
