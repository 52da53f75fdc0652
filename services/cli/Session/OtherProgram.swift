import Foundation
import Glibc
import Terminal

/// Verbs that are programs of their own.
enum OtherProgram {
    /// Goes on as the program: terminal, signals and exit code are its own.
    ///
    /// - Throws: ``CommandEnd`` when it cannot be started; otherwise there is no way back.
    static func become(_ path: String, _ arguments: [String]) throws(CommandEnd) {
        let words = ([path] + arguments).map { strdup($0) } + [nil]
        execv(path, words)
        let reason = String(cString: strerror(errno))
        for word in words { free(word) }
        throw .failed("\(path) cannot be started: \(reason).")
    }

    /// The folder in which this program lies, beside the others.
    static var folder: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    }
}
