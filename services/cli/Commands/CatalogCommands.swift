import ArgumentParser
import Commerce
import StrictJSON
import Terminal

/// `waybill stock …`
struct StockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stock",
        abstract: "Look at and set the stock.",
        subcommands: [List.self, Set.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the stock of every article.",
            discussion: "Example: waybill stock list"
        )
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let items = try await Catalog.all("/v1/stock", session)
            await session.close()
            if common.json { return items.forEach(JSONOutput.print) }
            var table = Table([.text("SKU"), .number("ON HAND"), .number("RESERVED"), .number("AVAILABLE")])
            for item in items {
                table.add([
                    .init(item["sku"]?.shown ?? ""), .init(item["onHand"]?.integerValue),
                    .init(item["reserved"]?.integerValue),
                    .init(item["available"]?.integerValue),
                ])
            }
            table.print()
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the pieces of an article that are in the house.",
            discussion: "Example: waybill stock set MUG-STONEWARE 500"
        )
        @Argument(help: "The article.") var sku: String
        @Argument(help: "Pieces, not fewer than are reserved.") var pieces: Int
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let level = try await session.operatorJSON(
                "PUT",
                "inventory",
                "/operator/stock/" + escaped(sku),
                body: .object(["onHand": .integer(Int64(pieces))])
            )
            await session.close()
            if common.json { return JSONOutput.print(level) }
            Console.print("\(sku): \(level["onHand"]?.shown ?? "") on hand, \(level["reserved"]?.shown ?? "") reserved")
        }
    }
}

/// `waybill catalog …`
struct CatalogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog",
        abstract: "Look at and change the catalogue.",
        subcommands: [List.self, Put.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the articles.",
            discussion: "Example: waybill catalog list"
        )
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let items = try await Catalog.all("/v1/catalog", session)
            await session.close()
            if common.json { return items.forEach(JSONOutput.print) }
            var table = Table([.text("SKU"), .number("PRICE"), .text("ACTIVE"), .text("NAME")])
            for item in items {
                table.add([
                    .init(item["sku"]?.shown ?? ""), .init(OrderOutput.money(item["price"])),
                    .init(item["active"]?.shown ?? ""), .init(item["name"]?.shown ?? ""),
                ])
            }
            table.print()
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put an article into the catalogue, or change it.",
            discussion: """
                Examples:
                  waybill catalog put MUG-BLUE --price 12.50 --currency EUR --name "Blue mug"
                  waybill catalog put MUG-BLUE --price 12.50 --currency EUR --inactive
                """
        )
        @Argument(help: "The article.") var sku: String
        @Option(name: .long, help: "The price of one piece in major units: 12.50") var price: String
        @Option(name: .long, help: "EUR, USD, GBP, CHF, SEK or JPY.") var currency: String
        @Option(name: .long, help: "Its name; the article's key unless given.") var name: String?
        @Flag(name: .long, help: "It cannot be ordered.") var inactive = false
        @OptionGroup var common: CommonOptions

        func run() async throws {
            guard let known = Currency(rawValue: currency) else {
                throw CommandEnd.failed(
                    "The currency \(currency) is not known; use one of "
                        + Currency.allCases.map(\.rawValue).joined(separator: ", ") + "."
                )
            }
            guard let amount = Money(amount: price, currency: known) else {
                throw CommandEnd.failed("“\(price)” is no price in \(currency); write it like 12.50.")
            }
            let session = Session()
            let item = try await session.operatorJSON(
                "PUT",
                "inventory",
                "/operator/catalog/" + escaped(sku),
                body: .object([
                    "name": .string(name ?? sku), "active": .bool(!inactive),
                    "price": .object(["minorUnits": .integer(amount.minorUnits), "currency": .string(known.rawValue)]),
                ])
            )
            await session.close()
            if common.json { return JSONOutput.print(item) }
            Console.print("\(sku): \(item["price"]?.shown ?? "")")
        }
    }
}

/// Lists of inventory, page by page.
enum Catalog {
    static func all(_ path: String, _ session: Session) async throws(CommandEnd) -> [JSONValue] {
        var items: [JSONValue] = []
        var cursor = ""
        repeat {
            let page = try await session.json(
                "GET",
                try session.url(of: "inventory") + path + "?cursor=" + escaped(cursor)
            )
            items += page["items"]?.arrayValue ?? []
            cursor = page["next"]?.stringValue ?? ""
        } while !cursor.isEmpty
        return items
    }
}
