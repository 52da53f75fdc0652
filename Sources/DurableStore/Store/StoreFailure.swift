import GRDB
public import Messaging

extension Failure {
    /// The class of an error that came out of the store or of SQL in a unit.
    ///
    /// Result codes: <https://www.sqlite.org/rescode.html>. A full disk may get room again; after an I/O error nobody knows
    /// what is on the disk until the file is opened anew, so the process must not go on. SQL arguments are never part of
    /// the sentence.
    public init(classifyingStoreError error: any Error) {
        guard let database = error as? DatabaseError else {
            self.init(classifying: error)
            return
        }
        let detail = "SQLite \(database.extendedResultCode.rawValue): \(database.message ?? "no message")"
        switch database.resultCode {
        case .SQLITE_FULL: self.init(.retryable, code: "store-full", "The disk is full. \(detail)")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.retryable, code: "store-busy", "The database is locked. \(detail)")
        case .SQLITE_NOMEM: self.init(.retryable, code: "store-no-memory", "SQLite has no memory. \(detail)")
        case .SQLITE_INTERRUPT:
            self.init(.interrupted, code: "store-interrupted", "The statement was interrupted. \(detail)")
        case .SQLITE_IOERR: self.init(.fatal, code: "store-io", "The disk failed. \(detail)")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self.init(.fatal, code: "store-corrupt", "The database file is damaged. \(detail)")
        case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM:
            self.init(.fatal, code: "store-unwritable", "The database file cannot be written. \(detail)")
        case .SQLITE_CONSTRAINT: self.init(.retryable, code: "sql-constraint", "A row broke a constraint. \(detail)")
        default: self.init(.retryable, code: "sql-error", "A statement failed. \(detail)")
        }
    }

    /// Whether the store itself failed, as against a unit's own statement or rule.
    ///
    /// Such a failure can neither be recorded nor retried by writing another row.
    public var isOfStore: Bool { code.hasPrefix("store-") }

    /// A failure of the store under an error, if it is one.
    static func ofStore(_ error: any Error) -> Failure? {
        guard error is DatabaseError else { return nil }
        let failure = Failure(classifyingStoreError: error)
        return failure.isOfStore ? failure : nil
    }
}
