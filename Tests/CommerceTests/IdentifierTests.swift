import Commerce
import Testing

@Suite struct IdentifierTests {
    @Test func quantitiesHaveBounds() {
        #expect(Quantity(0) == nil)
        #expect(Quantity(-1) == nil)
        #expect(Quantity(1)?.count == 1)
        #expect(Quantity(10_000)?.count == 10_000)
        #expect(Quantity(10_001) == nil)
        #expect(Quantity(.max) == nil)
    }

    @Test(arguments: ["", "-A", "a", "A B", "Ä", "A\0", String(repeating: "A", count: 33)])
    func refusesWhatIsNoSKU(text: String) {
        #expect(SKU(text) == nil)
    }

    @Test(arguments: ["A", "MUG-BLUE-1", "9", String(repeating: "A", count: 32)])
    func readsSKUs(text: String) {
        #expect(SKU(text)?.text == text)
    }

    @Test(arguments: [
        "", "0198f1c2-3d4e-7f00-8000-00000000000", "0198F1C2-3D4E-7F00-8000-000000000001",
        "0198f1c2-3d4e-7f00-8000-0000000000012", "0198f1c2x3d4e-7f00-8000-000000000001", "../../etc/passwd",
    ])
    func refusesWhatIsNoOrderID(text: String) {
        #expect(OrderID(text) == nil)
    }

    @Test func customersAndCardsAreTokens() {
        #expect(CustomerID("ada@example.org") != nil)
        #expect(CustomerID("a b") == nil)
        #expect(CardToken("tok_visa") != nil)
        #expect(CardToken("") == nil)
        #expect(CardToken(String(repeating: "x", count: 65)) == nil)
    }
}
