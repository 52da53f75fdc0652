import Foundation

/// What is piped in.
public enum StandardInput {
    /// All of it; waits for its end.
    ///
    /// - Throws: ``CommandEnd`` when it cannot be read.
    public static func bytes() throws(CommandEnd) -> [UInt8] {
        do {
            return [UInt8](try FileHandle.standardInput.readToEnd() ?? Data())
        } catch {
            throw .failed("Standard input cannot be read.")
        }
    }
}
