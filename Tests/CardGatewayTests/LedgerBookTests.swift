import KitTestSupport
import Messaging
import Testing

@testable import CardGateway

@Suite struct LedgerBookTests {
    let now = Timestamp(millisecondsSinceEpoch: 1_000)

    func record(
        _ book: inout LedgerBook,
        _ key: String,
        _ content: OperationRequest.Content,
        late: Bool = false
    ) -> LedgerEntry {
        book.record(OperationRequest(key: key, content: content), landsLate: late, at: now)
    }

    @Test func aLifeOfAnAuthorization() {
        var book = LedgerBook()
        let authorization = book.record(authorize("k1"), at: now)
        #expect(authorization.id == "auth_1" && authorization.authorization == "auth_1")
        let capture = record(&book, "k2", .capture(authorization: "auth_1"))
        #expect(capture.result == .succeeded && capture.capture == "cap_2" && capture.amount == 1000)
        #expect(capture.reference == "order-1" && capture.card == "tok_visa")
        #expect(record(&book, "k3", .capture(authorization: "auth_1")).reason == "already-captured")
        #expect(record(&book, "k4", .void(authorization: "auth_1")).reason == "already-captured")
        #expect(record(&book, "k5", .refund(capture: "cap_2", amount: 1001)).reason == "more-than-captured")
        #expect(record(&book, "k6", .refund(capture: "cap_2", amount: 400)).result == .succeeded)
        #expect(record(&book, "k7", .refund(capture: "cap_2", amount: nil)).reason == "more-than-captured")
        #expect(record(&book, "k8", .refund(capture: "cap_2", amount: 600)).result == .succeeded)
        #expect(record(&book, "k9", .refund(capture: "cap_2", amount: nil)).reason == "already-refunded")
    }

    @Test func aVoidEndsAnAuthorizationExceptForWhatLandsLate() {
        var book = LedgerBook()
        _ = book.record(authorize("k1"), at: now)
        #expect(record(&book, "k2", .void(authorization: "auth_1")).result == .succeeded)
        #expect(record(&book, "k3", .void(authorization: "auth_1")).reason == "already-voided")
        #expect(record(&book, "k4", .capture(authorization: "auth_1")).reason == "voided")
        #expect(record(&book, "k5", .capture(authorization: "auth_1"), late: true).result == .succeeded)
        #expect(record(&book, "k6", .capture(authorization: "auth_1"), late: true).reason == "already-captured")
    }

    @Test func unknownNamesAreRefused() {
        var book = LedgerBook()
        #expect(record(&book, "k1", .capture(authorization: "auth_9")).reason == "unknown-authorization")
        #expect(record(&book, "k2", .void(authorization: "auth_9")).reason == "unknown-authorization")
        #expect(record(&book, "k3", .refund(capture: "cap_9", amount: nil)).reason == "unknown-capture")
        #expect(book.record(authorize("k4"), decline: "card-declined", at: now).result == .declined)
        #expect(record(&book, "k5", .capture(authorization: "auth_4")).reason == "unknown-authorization")
    }

    @Test func aKeyMatchesOnlyItsOwnRequest() throws {
        var book = LedgerBook()
        let entry = book.record(authorize("k1"), at: now)
        #expect(book.matches(entry, authorize("k1")))
        #expect(!book.matches(entry, authorize("k1", amount: 1)))
        #expect(!book.matches(entry, authorize("k1", card: "tok_slow")))
        #expect(!book.matches(entry, authorize("k1", order: "order-2")))
        #expect(!book.matches(entry, OperationRequest(key: "k1", content: .capture(authorization: "auth_1"))))
    }
}
