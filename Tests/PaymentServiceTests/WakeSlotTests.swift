import Foundation
import Synchronization
import Testing

@testable import PaymentService

@Suite("Wake slot")
struct WakeSlotTests {
    /// Found with `perf` under load: `Mutex<@Sendable () -> Void>` wrapped the closure in two thunks at each read, so the thousandth wake
    /// ran through two thousand frames.
    @Test("the thousandth wake is as short as the first: reading the action does not wrap it anew")
    func depthStaysTheSame() {
        let depths = Mutex<[Int]>([])
        let slot = WakeSlot()
        slot.set { depths.withLock { $0.append(Thread.callStackReturnAddresses.count) } }
        for _ in 0..<1000 { slot.wake() }
        let seen = depths.withLock { $0 }
        #expect(seen.count == 1000)
        #expect(Set(seen).count == 1)
    }
}
