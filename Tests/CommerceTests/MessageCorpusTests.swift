import Commerce
import Messaging
import Testing

/// Every payload that was ever written must stay readable. Lines are only added here, never changed.
@Suite struct MessageCorpusTests {
    private static let order = "0198f1c2-3d4e-7f00-8000-000000000001"
    private static let payment = "0198f1c2-3d4e-7f00-8000-000000000002"

    /// Reads and writes again: the bytes must be the same, which shows that nothing is lost on the way.
    private func roundTrip<Payload: Codable>(_ type: Payload.Type, _ text: String) throws {
        let payload = try PayloadCodec.decode(type, from: Array(text.utf8))
        #expect(String(decoding: try PayloadCodec.encode(payload), as: UTF8.self) == text)
    }

    @Test func inventoryMessages() throws {
        try roundTrip(
            ReserveStock.self,
            #"{"expiresAt":"2026-11-20T21:24:14.000Z","items":[{"quantity":2,"sku":"MUG-1"}],"orderID":"\#(Self.order)"}"#
        )
        for text in [#"{"orderID":"\#(Self.order)"}"#] {
            try roundTrip(CommitStock.self, text)
            try roundTrip(StockReserved.self, text)
            try roundTrip(StockCommitted.self, text)
            try roundTrip(StockReleased.self, text)
        }
        try roundTrip(ReleaseStock.self, #"{"orderID":"\#(Self.order)","reason":"customer"}"#)
        try roundTrip(StockRefused.self, #"{"orderID":"\#(Self.order)","reason":"out-of-stock","sku":"MUG-1"}"#)
        try roundTrip(StockRefused.self, #"{"orderID":"\#(Self.order)","reason":"order-cancelled"}"#)
        try roundTrip(StockCommitRefused.self, #"{"orderID":"\#(Self.order)","reason":"expired"}"#)
    }

    @Test func paymentMessages() throws {
        let amount = #"{"currency":"EUR","minorUnits":1250}"#
        try roundTrip(AuthorizePayment.self, #"{"amount":\#(amount),"card":"tok_visa","orderID":"\#(Self.order)"}"#)
        try roundTrip(CapturePayment.self, #"{"orderID":"\#(Self.order)"}"#)
        try roundTrip(CancelPayment.self, #"{"orderID":"\#(Self.order)","reason":"deadline"}"#)
        try roundTrip(PaymentAuthorized.self, #"{"orderID":"\#(Self.order)","paymentID":"\#(Self.payment)"}"#)
        try roundTrip(PaymentDeclined.self, #"{"orderID":"\#(Self.order)","reason":"card-declined"}"#)
        try roundTrip(PaymentCaptured.self, #"{"amount":\#(amount),"orderID":"\#(Self.order)"}"#)
        try roundTrip(PaymentFailed.self, #"{"orderID":"\#(Self.order)","reason":"gateway-unresolved"}"#)
        try roundTrip(PaymentCancelled.self, #"{"orderID":"\#(Self.order)"}"#)
        try roundTrip(PaymentCancelled.self, #"{"orderID":"\#(Self.order)","refunded":\#(amount)}"#)
    }

    @Test func events() throws {
        let total = #"{"currency":"EUR","minorUnits":2500}"#
        let line = #"{"quantity":2,"sku":"MUG-1","unitPrice":{"currency":"EUR","minorUnits":1250}}"#
        try roundTrip(
            OrderEvent.self,
            #"{"customerID":"ada","lines":[\#(line)],"orderID":"\#(Self.order)","placedAt":"2026-11-20T21:24:14.003Z","previousStatus":"placed","reason":"x","status":"awaitingStock","total":\#(total)}"#
        )
        try roundTrip(
            PaymentEvent.self,
            #"{"amount":\#(total),"kind":"captured","orderID":"\#(Self.order)","paymentID":"\#(Self.payment)"}"#
        )
        try roundTrip(
            ReservationEvent.self,
            #"{"items":[{"quantity":2,"sku":"MUG-1"}],"kind":"reserved","orderID":"\#(Self.order)"}"#
        )
        try roundTrip(StockAdjusted.self, #"{"change":-5,"onHand":10,"sku":"MUG-1"}"#)
        try roundTrip(
            CatalogItemPut.self,
            #"{"active":true,"name":"Blue mug","price":{"currency":"EUR","minorUnits":1250},"sku":"MUG-1"}"#
        )
    }

    @Test(arguments: [
        #"{"orderID":"x"}"#, #"{}"#, #"[]"#, "", "nope", #"{"orderID":null}"#, #"{"orderID":7}"#,
        #"{"orderID":"0198f1c2-3d4e-7f00-8000-000000000001","orderID":"0198f1c2-3d4e-7f00-8000-000000000001"}"#,
    ])
    func refusesWhatIsNoPayload(text: String) {
        #expect(throws: PayloadFault.self) { try PayloadCodec.decode(CommitStock.self, from: Array(text.utf8)) }
    }

    @Test(arguments: ["0", "-1", "1e2", "1.0", "10001", "1000000000000000000", "\"2\"", "99999999999999999999999"])
    func refusesQuantitiesOutsideTheBounds(quantity: String) {
        let text = #"{"quantity":\#(quantity),"sku":"MUG-1"}"#
        #expect(throws: PayloadFault.self) { try PayloadCodec.decode(OrderedItem.self, from: Array(text.utf8)) }
    }

    @Test func aNewerProducerMayAddFields() throws {
        let text = #"{"orderID":"\#(Self.order)","somethingNew":{"a":[1,2]}}"#
        #expect(try PayloadCodec.decode(CommitStock.self, from: Array(text.utf8)).orderID.text == Self.order)
    }
}
