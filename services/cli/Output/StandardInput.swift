import Foundation

/// What is piped in.
enum StandardInput {
    /// All of it; waits for its end.
    static func bytes() throws(CommandEnd) -> [UInt8] {
        do {
            return [UInt8](try FileHandle.standardInput.readToEnd() ?? Data())
        } catch {
            throw .failed("Standard input cannot be read.")
        }
    }
}
