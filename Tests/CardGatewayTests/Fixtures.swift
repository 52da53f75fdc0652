import Foundation
import KitTestSupport
import Messaging
import Synchronization

@testable import CardGateway

/// A folder of its own per test, removed with the object.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "gateway-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var ledger: String { path + "/ledger.jsonl" }

    func read() throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: ledger))) }

    func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: ledger)) }
}

/// Keeps what was submitted.
final class RecordingCallbacks: CallbackSink {
    private let state = Mutex<[LedgerEntry]>([])

    func submit(_ entry: LedgerEntry) { state.withLock { $0.append(entry) } }

    var entries: [LedgerEntry] { state.withLock { $0 } }
}

func configuration(
    _ folder: TemporaryFolder,
    _ change: (inout GatewayConfiguration) -> Void = { _ in }
) -> GatewayConfiguration {
    var configuration = GatewayConfiguration(httpPort: 0, ledgerPath: folder.ledger)
    configuration.slowMilliseconds = 20
    configuration.holdMilliseconds = 20
    configuration.lateMilliseconds = 50
    configuration.callbackDelayMilliseconds = 0
    change(&configuration)
    return configuration
}

func authorize(
    _ key: String,
    card: String = "tok_visa",
    order: String = "order-1",
    amount: Int64 = 1000
) -> OperationRequest {
    OperationRequest(key: key, content: .authorize(reference: order, amount: amount, currency: "EUR", card: card))
}

extension CardGateway.Answer {
    var entry: LedgerEntry? {
        guard case .recorded(let entry) = self else { return nil }
        return entry
    }
}
