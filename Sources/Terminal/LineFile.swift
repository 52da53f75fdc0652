import Foundation
public import StrictJSON
import Synchronization

/// A file of JSON lines that is written while it grows. Safe from any task; lines are whole. What reads it relies on every line, so a
/// line that cannot be written ends the program, with code 2 and a sentence.
public final class LineFile: Sendable {
    private let path: String
    private let file: Mutex<FileHandle>

    /// Replaces an existing file.
    ///
    /// - Throws: ``CommandEnd`` when the file cannot be made.
    public init(_ path: String) throws(CommandEnd) {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw .failed("The file \(path) cannot be written.") }
        self.path = path
        file = Mutex(handle)
    }

    /// Appends the object as one line.
    public func write(_ object: JSONObject) {
        let line = StrictJSON.encode(.object(object)) + [UInt8(ascii: "\n")]
        file.withLock { file in
            do {
                try file.write(contentsOf: Data(line))
            } catch {
                Console.error("The file \(path) cannot be written on; what is in it is incomplete.")
                exit(2)
            }
        }
    }

    /// Ends the file; nothing may be written after it.
    public func close() { file.withLock { try? $0.close() } }
}
