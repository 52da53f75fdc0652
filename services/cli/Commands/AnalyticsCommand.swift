import ArgumentParser
import Commerce
import Messaging
import StrictJSON
import Terminal

/// `waybill analytics …`
struct AnalyticsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "analytics",
        abstract: "The read models, and the proof that they are the fold of the log.",
        subcommands: [Summary.self, RebuildModels.self, Diff.self]
    )

    struct Summary: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Orders by status, revenue, units, time to complete.",
            discussion: "Example: waybill analytics summary"
        )
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let session = Session()
            let summary = try await session.json("GET", try session.url(of: "analytics") + "/v1/summary")
            await session.close()
            if common.json { return JSONOutput.print(summary) }
            var states = Table([.text("STATUS"), .number("ORDERS")])
            for member in summary["ordersByStatus"]?.objectValue?.members ?? [] {
                states.add([.init(member.key, Console.color(ofStatus: member.key)), .init(member.value.integerValue)])
            }
            states.print()
            Console.print("")
            var revenue = Table([.text("CURRENCY"), .number("REVENUE"), .number("ORDERS")])
            for item in summary["revenue"]?.arrayValue ?? [] {
                revenue.add([
                    .init(item["currency"]?.shown ?? ""), .init(OrderOutput.money(item)),
                    .init(item["orders"]?.integerValue),
                ])
            }
            revenue.print()
            Console.print("")
            var units = Table([.text("SKU"), .number("UNITS"), .text("NAME")])
            for item in (summary["unitsBySku"]?.arrayValue ?? []).prefix(20) {
                units.add([
                    .init(item["sku"]?.shown ?? ""), .init(item["units"]?.integerValue),
                    .init(item["name"]?.shown ?? ""),
                ])
            }
            units.print()
            let times = summary["timeToComplete"]
            Console.print("")
            Console.print(
                "time to complete: p50 ≤ \(milliseconds(times?["p50UpToMs"])), p99 ≤ \(milliseconds(times?["p99UpToMs"])), "
                    + "p99.9 ≤ \(milliseconds(times?["p999UpToMs"])) over \(grouped(times?["orders"]?.integerValue ?? 0)) orders"
            )
        }

        private func milliseconds(_ value: JSONValue?) -> String {
            value?.integerValue.map { "\(grouped($0)) ms" } ?? "–"
        }
    }

    struct RebuildModels: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rebuild",
            abstract: "Fold the event log again from offset 0 and say whether the result is identical.",
            discussion: "Example: waybill analytics rebuild      (exit code 1 when a table differs)"
        )
        @OptionGroup var common: CommonOptions
        func run() async throws { try await AnalyticsRebuild.run(json: common.json, onlyDifferences: false) }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The same, but shows only tables that differ.",
            discussion: "Example: waybill analytics diff"
        )
        @OptionGroup var common: CommonOptions
        func run() async throws { try await AnalyticsRebuild.run(json: common.json, onlyDifferences: true) }
    }
}

/// Starts a rebuild, shows its progress, tells its result.
enum AnalyticsRebuild {
    static func run(json: Bool, onlyDifferences: Bool) async throws {
        let session = Session()
        let id = try await session.operatorJSON("POST", "analytics", "/operator/rebuild")["id"]?.stringValue ?? ""
        let bar = ProgressBar("reading the event log")
        var status: JSONValue = .null
        repeat {
            try await Task.sleep(for: .milliseconds(100))
            status = try await session.operatorJSON("GET", "analytics", "/operator/rebuild/" + escaped(id))
            bar.show(status["read"]?.integerValue ?? 0, of: status["total"]?.integerValue ?? 0, note: "events")
        } while status["state"]?.stringValue == "running"
        bar.clear()
        await session.close()
        if json {
            JSONOutput.print(status)
        } else {
            var table = Table([.text("TABLE"), .number("LIVE ROWS"), .number("REBUILT ROWS"), .text("")])
            for item in status["tables"]?.arrayValue ?? [] {
                let same = item["identical"]?.boolValue ?? false
                if onlyDifferences && same { continue }
                table.add([
                    .init(item["name"]?.shown ?? ""), .init(item["live"]?.integerValue),
                    .init(item["rebuilt"]?.integerValue),
                    .init(same ? "identical" : "DIFFERENT", same ? .good : .bad),
                ])
            }
            if !table.isEmpty { table.print() }
            let isFold = status["identical"]?.boolValue == true
            Console.print(
                "\(grouped(status["read"]?.integerValue ?? 0)) events read"
                    + (isFold ? "; the read models are the fold of the log" : "")
            )
        }
        if let error = status["error"]?.stringValue { throw CommandEnd.failed("The rebuild failed: \(error)") }
        if status["identical"]?.boolValue != true {
            throw CommandEnd.no("The read models are not the fold of the log.")
        }
    }
}
