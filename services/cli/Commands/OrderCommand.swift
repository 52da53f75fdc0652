import ArgumentParser
import Commerce
import Foundation
import StrictJSON
import Terminal

/// `waybill order …`
struct OrderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "order",
        abstract: "Place, look at, follow and cancel orders.",
        subcommands: [Place.self, Get.self, List.self, Cancel.self, Watch.self, Timeline.self]
    )

    struct Place: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Place an order.",
            discussion: """
                Examples:
                  waybill order place --sku MUG-STONEWARE --wait
                  waybill order place --sku COFFEE-1KG --quantity 2 --sku FILTER-PAPER-100 --quantity 1
                  waybill order place --sku MUG-STONEWARE --card tok_declined --wait

                Cards: tok_visa, tok_declined, tok_insufficient_funds, tok_slow, tok_timeout, tok_flaky, tok_late, tok_garbage.
                With --wait the exit code is 0 when the order completes and 1 when it does not.
                """
        )
        @Option(name: .long, help: "An article; repeat it for more lines.") var sku: [String]
        @Option(name: .long, help: "Pieces of each --sku, in the same order; 1 where it is missing.") var quantity:
            [Int] = []
        @Option(name: .long, help: "The card's token.") var card = "tok_visa"
        @Option(name: .long, help: "Who orders.") var customer = "cli"
        @Option(name: .long, help: "The key that makes repeating safe; a new one unless given.") var idempotencyKey:
            String?
        @Flag(name: .long, help: "Wait until the order has ended.") var wait = false
        @OptionGroup var common: CommonOptions

        func validate() throws {
            guard quantity.count <= sku.count else { throw ValidationError("There are more --quantity than --sku.") }
        }

        func run() async throws {
            let session = Session()
            let lines = sku.enumerated().map { index, sku -> JSONValue in
                .object([
                    "sku": .string(sku), "quantity": .integer(Int64(index < quantity.count ? quantity[index] : 1)),
                ])
            }
            let order = try await session.json(
                "POST",
                try session.url(of: "order") + "/v1/orders",
                headers: [("idempotency-key", idempotencyKey ?? UUID().uuidString.lowercased())],
                body: .object(["customer": .string(customer), "card": .string(card), "lines": .array(lines)])
            )
            if !wait {
                OrderOutput.show(order, json: common.json)
            } else {
                let id = order["id"]?.stringValue ?? ""
                if !common.json { OrderOutput.headline(order) }
                let status = try await OrderFollower(session: session, id: id).follow { event in
                    if !common.json { OrderOutput.change(event) }
                }
                let ended = try await session.json("GET", try session.url(of: "order") + "/v1/orders/" + id)
                if common.json { JSONOutput.print(ended) } else { OrderOutput.end(ended) }
                if status != OrderStatus.completed.rawValue { throw CommandEnd.no() }
            }
            await session.close()
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one order.",
            discussion: "Example: waybill order get 019a2f0c-…"
        )
        @Argument(help: "The order's id.") var id: String
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let order = try await session.json("GET", try session.url(of: "order") + "/v1/orders/" + escaped(id))
            OrderOutput.show(order, json: common.json)
            await session.close()
        }
    }

    struct List: AsyncParsableCommand {
        private static let statuses = OrderStatus.allCases.map(\.rawValue).joined(separator: ", ")

        static let configuration = CommandConfiguration(
            abstract: "List orders, the newest first.",
            discussion: """
                Examples:
                  waybill order list
                  waybill order list --status cancelled --limit 20
                """
        )
        @Option(name: .long, help: "Only orders of this status, one of \(Self.statuses).") var status: String?
        @Option(name: .long, help: "The most orders to show.") var limit = 20
        @OptionGroup var common: CommonOptions

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit is greater than 0.") }
        }

        func run() async throws {
            let session = Session()
            var orders: [JSONValue] = []
            var cursor: String?
            repeat {
                var query = "?limit=\(min(100, max(1, limit - orders.count)))"
                if let status { query += "&status=" + escaped(status) }
                if let cursor { query += "&cursor=" + escaped(cursor) }
                let page = try await session.json("GET", try session.url(of: "order") + "/v1/orders" + query)
                orders += page["orders"]?.arrayValue ?? []
                cursor = page["next"]?.stringValue
            } while cursor != nil && orders.count < limit
            await session.close()
            if common.json { return orders.forEach(JSONOutput.print) }
            var table = Table([
                .text("ORDER"), .text("STATUS"), .number("TOTAL"), .text("CUSTOMER"), .text("PLACED"), .text("REASON"),
            ])
            for order in orders { table.add(OrderOutput.row(order)) }
            table.print()
            if orders.isEmpty { throw CommandEnd.no("There are no such orders.") }
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cancel an order, at any moment before its goods have left.",
            discussion: "Example: waybill order cancel 019a2f0c-…"
        )
        @Argument(help: "The order's id.") var id: String
        @Flag(name: .long, help: "Wait until everything is undone.") var wait = false
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            var order = try await session.json(
                "POST",
                try session.url(of: "order") + "/v1/orders/\(escaped(id))/cancel"
            )
            if wait {
                _ = try await OrderFollower(session: session, id: id).follow { _ in }
                order = try await session.json("GET", try session.url(of: "order") + "/v1/orders/" + escaped(id))
            }
            OrderOutput.show(order, json: common.json)
            await session.close()
        }
    }

    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow an order until it has ended.",
            discussion: "Example: waybill order watch 019a2f0c-…"
        )
        @Argument(help: "The order's id.") var id: String
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let status = try await OrderFollower(session: session, id: id).follow { event in
                common.json ? JSONOutput.print(event) : OrderOutput.change(event)
            }
            await session.close()
            if status != OrderStatus.completed.rawValue { throw CommandEnd.no() }
        }
    }

    struct Timeline: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Everything that happened to an order, and what was asked for in answer.",
            discussion: "Example: waybill order timeline 019a2f0c-…"
        )
        @Argument(help: "The order's id.") var id: String
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let timeline = try await session.json(
                "GET",
                try session.url(of: "order") + "/v1/orders/\(escaped(id))/timeline"
            )
            await session.close()
            if common.json { return JSONOutput.print(timeline) }
            OrderOutput.headline(timeline["order"] ?? .null)
            OrderOutput.timeline(timeline)
        }
    }
}

/// Text for a place in a URL.
func escaped(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~"))) ?? ""
}
