import Dispatch
import Foundation
public import Messaging
import StrictJSON

/// Captures that were taken on and will land later: a small file beside the ledger, so that they land after a restart too.
///
/// One JSON object per line: `{"authorization","due","key"}`. A line is finished business when the ledger has its key; such lines
/// are dropped when the journal is opened.
///
/// `@unchecked Sendable`: `descriptor` is used on `queue` only.
public final class LateJournal: @unchecked Sendable {
    /// A capture that will land.
    public struct Pending: Sendable, Hashable {
        /// Its idempotency key.
        public let key: String
        /// What it takes.
        public let authorization: String
        /// When it lands.
        public let due: Timestamp

        /// Makes one.
        public init(key: String, authorization: String, due: Timestamp) {
            self.key = key
            self.authorization = authorization
            self.due = due
        }

        fileprivate var line: [UInt8] {
            StrictJSON.encode(
                [
                    "authorization": .string(authorization), "due": .integer(due.millisecondsSinceEpoch),
                    "key": .string(key),
                ] as JSONValue
            ) + [0x0A]
        }

        fileprivate init?(_ line: some Collection<UInt8>) {
            guard let value = try? StrictJSON.parse(Array(line)), let key = value["key"]?.stringValue,
                let authorization = value["authorization"]?.stringValue, let due = value["due"]?.integerValue
            else { return nil }
            self.init(key: key, authorization: authorization, due: Timestamp(millisecondsSinceEpoch: due))
        }
    }

    private let descriptor: Int32
    private let queue = DispatchQueue(label: "late-journal")

    /// Opens or creates a journal and rewrites it with what is still pending.
    ///
    /// - Parameter isLanded: whether the ledger has a key.
    public static func open(
        path: String,
        isLanded: (String) -> Bool
    ) throws(LedgerFault) -> (journal: LateJournal, pending: [Pending]) {
        let old = FileManager.default.contents(atPath: path).map(Array.init) ?? []
        // Without a line feed a line was never acknowledged to anyone: it is left out.
        let complete = old.lastIndex(of: 0x0A).map { old[...$0] } ?? []
        let pending = complete.split(separator: 0x0A).compactMap(Pending.init).filter { !isLanded($0.key) }
        let temporary = path + ".new"
        let descriptor = Foundation.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
        let bytes = pending.flatMap(\.line)
        guard descriptor >= 0, write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0,
            rename(temporary, path) == 0
        else {
            if descriptor >= 0 { close(descriptor) }
            throw LedgerFault("The journal \(path) cannot be written: \(errorText()).")
        }
        syncFolder(of: path)
        return (LateJournal(descriptor: descriptor), pending)
    }

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// Adds a capture; returns when it is on disk.
    public func add(_ pending: Pending) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            queue.async { [self] in
                let line = pending.line
                if write(descriptor, line, line.count) == line.count, fdatasync(descriptor) == 0 {
                    continuation.resume()
                } else {
                    continuation.resume(throwing: LedgerFault("The journal cannot be written: \(errorText())."))
                }
            }
        }
    }
}
