import DurableStore
import Testing

@testable import WaybillSimulation

@Suite("Simulation: a campaign of any length takes the memory of its workers")
struct WorldLifetimeTests {
    /// Looks at an object without keeping it.
    private struct Trace {
        let what: String
        weak var object: AnyObject?
    }

    /// Node and store once held each other, by the closures that the store calls: 10,000 seeds left 24 GiB behind.
    @Test("a world that has ended leaves nothing behind: no node, no store, no disk")
    func worldIsFreed() async throws {
        let traces = try await liveOnce()
        #expect(traces.count == 1 + 3 * 5)
        #expect(traces.filter { $0.object != nil }.map(\.what) == [])
    }

    private func liveOnce() async throws -> [Trace] {
        let world = try World(seed: 3, orders: 6)
        #expect(try await world.live().violations.isEmpty)
        var traces = [Trace(what: "world", object: world)]
        for node in world.nodes {
            traces.append(Trace(what: "\(node.name): node", object: node))
            traces.append(Trace(what: "\(node.name): store", object: node.instance?.store))
            traces.append(Trace(what: "\(node.name): disk", object: node.disk))
        }
        return traces
    }
}
