import Foundation
import StrictJSON

/// `waybill verify`, as a program of its own: the judge shares nothing with the one who breaks things.
struct Verifier: Sendable {
    let installation: Installation
    /// Where its answers are kept.
    let folder: String
    /// What the webhook subscribers wrote down.
    let receipts: String

    /// Looks at what must hold at any moment.
    func live(at now: Int64) async -> CheckRecord? {
        await look(["--live"], at: now, isFinal: false)
    }

    /// Looks at everything, once all is at rest or `settle` seconds are over.
    func final(history: String, poison: String, settle: Int, at now: Int64) async -> CheckRecord? {
        await look(["--history", history, "--poison", poison, "--settle", "\(settle)"], at: now, isFinal: true)
    }

    private func look(_ arguments: [String], at now: Int64, isFinal: Bool) async -> CheckRecord? {
        let name = isFinal ? "final" : "live-\(now / 1000)"
        guard
            let result = try? await Shell.run(
                installation.programs + "/waybill",
                ["verify", "--json", "--receipts", receipts] + arguments,
                environment: installation.childEnvironment(),
                errors: "\(folder)/verify.log"
            ), result.code != 2,
            let document = try? StrictJSON.parse(
                result.output,
                limits: JSONLimits(maxBytes: 32 << 20, maxItems: 100_000, maxStringBytes: 4 << 20)
            ), let checks = document["checks"]?.arrayValue
        else { return nil }
        _ = FileManager.default.createFile(atPath: "\(folder)/verify-\(name).json", contents: Data(result.output))
        var examined: Set<String> = []
        var violated: [String: String] = [:]
        var unexamined: [String: String] = [:]
        for check in checks {
            guard let id = check["id"]?.stringValue else { continue }
            switch check["verdict"]?.stringValue {
            case "holds": examined.insert(id)
            case "violated":
                examined.insert(id)
                violated[id] = check["example"]?.stringValue ?? "no example"
            default: unexamined[id] = check["reason"]?.stringValue ?? "no reason"
            }
        }
        return CheckRecord(
            at: now,
            isFinal: isFinal,
            examined: examined,
            violated: violated,
            unexamined: unexamined
        )
    }
}
