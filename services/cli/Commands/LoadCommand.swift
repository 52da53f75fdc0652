import ArgumentParser
import Foundation
import StrictJSON
import Terminal

/// `waybill load`
struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Offer orders at a fixed rate and follow them to their end.",
        discussion: """
            Arrivals follow a schedule and never wait for answers; latencies count from the moment at which an order was due.

            Examples:
              waybill load --rate 50 --duration 20
              waybill load --rate 100 --orders 300 --cards all --history load.jsonl
              waybill load --rate 300 --duration 30 --cards visa --json

            --cards: all (each of the eight cards), visa, or a mix like tok_visa=9,tok_declined=1.
            Exit codes: 0 every accepted order has ended, 1 some are still open, 2 it could not be carried out.
            """
    )
    @Option(name: .long, help: "Orders per second.") var rate = 20.0
    @Option(name: .long, help: "How many orders; rate × duration unless given.") var orders: Int?
    @Option(name: .long, help: "Seconds to offer orders.") var duration = 10.0
    @Option(name: .long, help: "The mix of cards.") var cards = "all"
    @Option(name: .long, help: "Write what the client saw, as JSON lines, for waybill verify --history.") var history:
        String?
    @Option(name: .long, help: "Send every Nth accepted order again under its key, and read it; 0 for none.")
    var recheck = 10
    @Option(name: .long, help: "Seconds to wait for open orders at the end.") var drain = 120
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard rate > 0, rate <= 100_000, duration > 0, duration <= 86_400, orders.map({ $0 > 0 }) ?? true else {
            throw ValidationError("--rate, --orders and --duration are greater than 0.")
        }
        guard recheck >= 0 else { throw ValidationError("--recheck is not negative.") }
        guard LoadPlan.cards(cards) != nil else {
            throw ValidationError("--cards is all, visa, or card=weight,card=weight.")
        }
    }

    func run() async throws {
        let session = Session(connections: 256)
        let skus = try await Catalog.all("/v1/catalog", session).filter { $0["active"]?.boolValue ?? false }
        let currency = skus.first?["price"]?["currency"]?.stringValue
        let usable = skus.filter { $0["price"]?["currency"]?.stringValue == currency }.compactMap {
            $0["sku"]?.stringValue
        }
        guard !usable.isEmpty else {
            throw CommandEnd.failed(
                "The catalogue is empty; waybill catalog put adds an article, waybill stock set its pieces."
            )
        }
        let plan = LoadPlan(
            rate: rate,
            orders: orders ?? max(1, Int(rate * duration)),
            skus: usable,
            cards: LoadPlan.cards(cards) ?? [],
            run: String(UUID().uuidString.lowercased().prefix(8))
        )
        let recorder = try LoadRecorder(historyPath: history)
        let load = LoadRun(
            session: session,
            url: try session.url(of: "order"),
            plan: plan,
            recorder: recorder,
            kafka: try EventLogAccess.configuration(),
            recheck: history == nil ? 0 : recheck,
            drainLimit: .seconds(drain)
        )
        let start = ContinuousClock.now
        let offered = try await load.run(bar: ProgressBar("placing orders"))
        let total = ContinuousClock.now - start
        recorder.close()
        await session.close()
        show(recorder, offered: offered, total: total)
        if recorder.snapshot.open > 0 { throw CommandEnd.no("\(recorder.snapshot.open) orders are still open.") }
    }

    private func show(_ recorder: LoadRecorder, offered: Duration, total: Duration) {
        let numbers = recorder.snapshot
        let (accept, completion) = recorder.percentiles()
        let seconds = max(0.001, offered / .seconds(1))
        let completed = numbers.ended["completed"] ?? 0
        if common.json {
            var ended = JSONObject()
            for (status, count) in numbers.ended.sorted(by: { $0.key < $1.key }) {
                ended[status] = .integer(Int64(count))
            }
            func micro(_ values: [Double: UInt64]) -> JSONValue {
                .object([
                    "p50Us": .integer(Int64(values[50] ?? 0)), "p99Us": .integer(Int64(values[99] ?? 0)),
                    "p999Us": .integer(Int64(values[99.9] ?? 0)),
                ])
            }
            return JSONOutput.print(
                .object([
                    "offered": .integer(Int64(numbers.offered)), "accepted": .integer(Int64(numbers.accepted)),
                    "refused": .integer(Int64(numbers.refused)), "unknown": .integer(Int64(numbers.unknown)),
                    "open": .integer(Int64(numbers.open)), "ended": .object(ended), "accept": micro(accept),
                    "placementToCompleted": micro(completion), "offeredMs": .integer(Int64(offered / .milliseconds(1))),
                    "totalMs": .integer(Int64(total / .milliseconds(1))),
                    "acceptedPerSecondX100": .integer(Int64(Double(numbers.accepted) / seconds * 100)),
                    "completedPerSecondX100": .integer(
                        Int64(Double(completed) / max(0.001, total / .seconds(1)) * 100)
                    ),
                ])
            )
        }
        var table = Table([.text("ORDERS"), .number("COUNT")])
        table.add(["offered", .init(Int64(numbers.offered))])
        table.add(["accepted", .init(Int64(numbers.accepted))])
        if numbers.refused > 0 { table.add(["refused", .init(Int64(numbers.refused))]) }
        if numbers.unknown > 0 { table.add(["unknown", .init(Int64(numbers.unknown))]) }
        for (status, count) in numbers.ended.sorted(by: { $0.value > $1.value }) {
            table.add([.init(status, Console.color(ofStatus: status)), .init(Int64(count))])
        }
        if numbers.open > 0 { table.add([.init("still open", .bad), .init(Int64(numbers.open))]) }
        table.print()
        Console.print("")
        var times = Table([.text("LATENCY"), .number("P50"), .number("P99"), .number("P99.9")])
        times.add(["accept"] + [50.0, 99.0, 99.9].map { .init(milliseconds(accept[$0] ?? 0)) })
        times.add(["placement to completed"] + [50.0, 99.0, 99.9].map { .init(milliseconds(completion[$0] ?? 0)) })
        times.print()
        Console.print("")
        Console.print(
            "\(decimal(Double(numbers.accepted) / seconds)) accepted/s while offering, "
                + "\(decimal(Double(completed) / max(0.001, total / .seconds(1)))) completed/s over \(decimal(total / .seconds(1))) s"
        )
    }

    private func milliseconds(_ microseconds: UInt64) -> String {
        String(format: "%.1f ms", Double(microseconds) / 1000)
    }

    private func decimal(_ value: Double) -> String {
        String(format: "%.1f", value)
    }
}
