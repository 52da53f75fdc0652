#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Named places in the code where a crash matters: armed for a test, the process dies there as by `kill -9`.
///
/// A place is one line, `Failpoints.reach("relay.amqp.before-publish", about: [row.subject])`. It does nothing unless the
/// process was started with ``variable`` naming a private folder: then a file there that bears the place's name arms it.
///
/// ```
/// touch "$WAYBILL_FAILPOINTS/relay.amqp.before-publish"       the next row that is about to be sent kills the process, once
/// echo 3 > "$WAYBILL_FAILPOINTS/store.before-commit"          the third commit from now does
/// echo 1 6 > "$WAYBILL_FAILPOINTS/inbox.before-ack"           six deaths, each for another subject
/// ls "$WAYBILL_FAILPOINTS"                                    inbox.before-ack#1 inbox.before-ack@019a2f…: deaths, and for what
/// ```
///
/// Before it dies the process makes the files `NAME#NUMBER` and `NAME@SUBJECT`. They outlive it: a process that is started again with the
/// same folder does not die more often than was asked for, and never twice for the same subject. Removing the armed file
/// disarms at once; arming and disarming need no restart.
///
/// Off, a place costs a call and a comparison, and its arguments are not evaluated. On, each place reached costs a system
/// call on the calling thread: for tests only, and a program that has places says so loudly when it starts (``check()``).
public enum Failpoints {
    /// The environment variable that names the folder. Read once.
    public static let variable = "WAYBILL_FAILPOINTS"

    static let folder: Result<FailpointFolder?, FailpointRefusal> = {
        guard let path = getenv(variable).map({ String(cString: $0) }), !path.isEmpty else { return .success(nil) }
        return Result { () throws(FailpointRefusal) in try FailpointFolder(path) }
    }()
    private static let active: FailpointFolder? = try? folder.get()

    /// Dies here if the place is armed for one of the subjects, and returns otherwise.
    ///
    /// - Parameters:
    ///   - name: lower-case letters, dots and dashes; the same for ever, tests name it.
    ///   - subjects: what is being worked on, several for a batch. Without any the place kills once.
    public static func reach(_ name: StaticString, about subjects: @autoclosure () -> [String] = []) {
        guard let active else { return }
        if active.mustDie(at: name.description, about: subjects()) { die() }
    }

    /// What a program does first: refuses to run with a folder that others could write to, and learns what to warn of.
    ///
    /// - Returns: a sentence for the log, when places can be armed in this process; `nil` when not.
    /// - Throws: ``FailpointRefusal``; the program must not start.
    public static func check() throws(FailpointRefusal) -> String? {
        guard let folder = try folder.get() else { return nil }
        return "\(variable) is set, for tests only: whoever can write to \(folder.path) can kill this process."
    }

    /// As `kill -9` from outside: no handler runs, no buffer is written, the operating system frees locks and sockets.
    private static func die() -> Never {
        kill(getpid(), SIGKILL)
        while true { pause() }
    }
}

/// Why a program does not start with the folder that it was given. One sentence.
public struct FailpointRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
}
