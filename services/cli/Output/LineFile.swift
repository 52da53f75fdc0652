import Foundation
import StrictJSON
import Synchronization

/// A file of JSON lines that is written while it grows. Safe from any task; lines are whole.
final class LineFile: Sendable {
    private let file: Mutex<FileHandle>

    /// Replaces an existing file.
    init(_ path: String) throws(CommandEnd) {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw .failed("The file \(path) cannot be written.") }
        file = Mutex(handle)
    }

    func write(_ object: JSONObject) {
        let line = StrictJSON.encode(.object(object)) + [UInt8(ascii: "\n")]
        file.withLock { $0.write(Data(line)) }
    }

    func close() { file.withLock { try? $0.close() } }
}
