import Foundation
import Testing
import Verification

/// How long the checks take. Runs when `WAYBILL_VERIFY_ORDERS` says with how many orders: 100000 must take less than a minute.
/// `scripts/bench-verify.sh` measures loading too, with the release build.
@Suite struct SpeedTests {
    private static let orders = ProcessInfo.processInfo.environment["WAYBILL_VERIFY_ORDERS"].flatMap { Int($0) }

    @Test(.enabled(if: orders != nil)) func allChecksOverManyOrders() throws {
        let count = try #require(Self.orders)
        let evidence = try World.large(count)
        let clock = ContinuousClock()
        var total = Duration.zero
        for check in Check.all {
            var finding: Finding?
            let time = clock.measure { finding = check.examine(evidence) }
            total += time
            #expect(finding?.verdict == .holds, "\(check.id)")
            print("\(check.id)\t\(time)\t\(finding?.lookedAt ?? "")")
        }
        print("all\t\(total)\t\(count) orders")
        #expect(total < .seconds(60))
    }
}
