import Commerce
import DurableStore
import InventoryService
import Messaging
import OrderService
import Simulation
import Verification

extension World {
    /// Fills the catalogue and the shelves. One article is rare, so that orders compete for it.
    func stockUp() async throws {
        guard let store = node(.inventory).instance?.store else { return }
        let commands = CatalogCommands()
        for (index, name) in Customers.articles.enumerated() {
            guard let sku = SKU(name) else { continue }
            let price = Money(minorUnits: Int64(100 + 37 * index), currency: .eur)
            let item = CatalogItemPut(sku: sku, name: name, price: price, active: true)
            let pieces = name == "RARE" ? max(1, orderCount / 8) : orderCount * 4
            try await store.write { tx in
                try commands.put(item, traceparent: nil, in: tx)
                _ = try commands.setStock(sku, onHand: pieces, traceparent: nil, in: tx)
            }
        }
    }

    /// A customer asks for an order, for the first time or again.
    func request() async {
        guard let index = customers.next(at: time.now, limitedTo) else { return }
        let purchase = customers.purchases[index]
        note("\(purchase.key) is asked for")
        arm(node(.order))
        await place(purchase)
        node(.order).armed = nil
    }

    private func place(_ purchase: Customers.Purchase) async {
        guard let key = IdempotencyKey(purchase.key), let parts = node(.order).instance?.orders else { return }
        customers.change(purchase.index) { $0.attempts += 1 }
        do {
            let answer = try await parts.placeOrder(purchase.request, key: key)
            if hit(.answerLost) { return askAgain(purchase) }
            if purchase.outcome == .info, answer.isReplay { reach(.unknownThenFound) }
            customers.change(purchase.index) {
                $0.outcome = .ok
                $0.orders = [answer.orderID.text]
                $0.body = answer.body
            }
        } catch let fault as UseCaseFault {
            // The replica of the catalogue may not have come yet; a customer who was told so tries again.
            if fault.code == "unknown-sku", purchase.attempts < 5, !purchase.request.lines.contains(where: \.isUnknown)
            {
                customers.change(purchase.index) {
                    $0.notBefore = time.now.advanced(byMilliseconds: 400)
                }
                return
            }
            customers.change(purchase.index) { $0.outcome = .fail }
        } catch {
            storeFailed(node(.order), error)
            askAgain(purchase)
        }
    }

    private func askAgain(_ purchase: Customers.Purchase) {
        let pause = Int64(random.within(100...3000))
        customers.change(purchase.index) {
            $0.outcome = .info
            $0.notBefore = time.now.advanced(byMilliseconds: pause)
        }
    }

    private var placed: [Customers.Purchase] { customers.purchases.filter { $0.outcome == .ok } }

    /// A customer cancels, at any moment.
    func cancelSomething() async {
        let open = placed.suffix(12)
        guard node(.order).isRunning, let parts = node(.order).instance?.orders,
            let purchase = random.pick(Array(open)),
            let id = purchase.orders.first.flatMap(OrderID.init)
        else { return }
        note("\(purchase.key) is cancelled")
        do {
            _ = try await parts.cancelOrder(id)
        } catch let fault as UseCaseFault {
            if fault.code == "too-late-to-cancel" || fault.code == "order-final" { reach(.cancelTooLate) }
            if fault.code == "unknown-order" { violate("A2", "order \(id.text) was acknowledged and is not known") }
        } catch {
            storeFailed(node(.order), error)
        }
    }

    /// A3: the same key and body gets the same answer, byte for byte.
    func repeatSomething() async {
        guard node(.order).isRunning, let parts = node(.order).instance?.orders, let purchase = random.pick(placed),
            let key = IdempotencyKey(purchase.key)
        else { return }
        do {
            let answer = try await parts.placeOrder(purchase.request, key: key)
            if answer.orderID.text != purchase.orders.first || answer.body != purchase.body {
                violate("A3", "\(purchase.key) was answered with \(answer.orderID.text) and other bytes before")
            } else {
                reach(.replayed)
            }
        } catch {
            if error is UseCaseFault { violate("A3", "the repeated \(purchase.key) was refused: \(error)") }
            storeFailed(node(.order), error)
        }
    }

    /// A3: the same key with another body is refused.
    func reuseSomeKey() async {
        guard node(.order).isRunning, let parts = node(.order).instance?.orders, let purchase = random.pick(placed),
            let key = IdempotencyKey(purchase.key), let other = CustomerID("somebody-else")
        else { return }
        let request = PlacementRequest(customer: other, card: purchase.request.card, lines: purchase.request.lines)
        do {
            _ = try await parts.placeOrder(request, key: key)
            violate("A3", "\(purchase.key) was accepted with another body")
        } catch let fault as UseCaseFault {
            if fault.code == "idempotency-key-reused" { reach(.keyReuseRefused) }
        } catch {
            storeFailed(node(.order), error)
        }
    }
}

extension OrderedItem {
    fileprivate var isUnknown: Bool { sku.text == "UNKNOWN" }
}
