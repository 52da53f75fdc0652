import Foundation
import Testing
import Verification

/// How long the checks take. Runs when `WAYBILL_VERIFY_ORDERS` says with how many orders: 100000 must take less than a minute.
@Suite struct SpeedTests {
    private static let orders = ProcessInfo.processInfo.environment["WAYBILL_VERIFY_ORDERS"].flatMap { Int($0) }

    @Test(.enabled(if: orders != nil)) func allChecksOverManyOrders() throws {
        let count = try #require(Self.orders)
        var world = try World(stock: 900_000_000)
        for number in 1...count {
            switch number % 10 {
            case 0: try world.reject(number)
            case 1: try world.cancel(number)
            default: try world.complete(number)
            }
        }
        let evidence = world.evidence
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
