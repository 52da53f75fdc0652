import Failpoints
import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// Each test runs in a process of its own: the variable is read once, and what is tested is death.
@Suite struct FailpointsTests {
    @Test func anArmedPlaceKillsTheProcessAsKillMinusNineDoes() async {
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let name = "failpoints-" + UUID().uuidString
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: folder,
                withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700]
            )
            try Data().write(to: folder.appendingPathComponent("test.place"))
            setenv(Failpoints.variable, folder.path, 1)
            let warning = try Failpoints.check()
            precondition(warning?.contains(folder.path) == true)
            Failpoints.reach("test.other-place", about: ["s"])
            atexit { fatalError("a handler ran") }
            Failpoints.reach("test.place", about: ["s"])
            fatalError("the process went on")
        }
    }

    @Test func withoutTheVariableNothingIsEvaluated() async {
        await #expect(processExitsWith: .success) {
            unsetenv(Failpoints.variable)
            let warning = try Failpoints.check()
            precondition(warning == nil)
            Failpoints.reach("test.place", about: [{ fatalError("evaluated") }()])
        }
    }

    /// A program that is given a folder it cannot trust must not start, rather than run without the places.
    @Test func aFolderThatIsNoneIsRefused() async {
        await #expect(processExitsWith: .success) {
            setenv(Failpoints.variable, "/nonexistent", 1)
            do {
                _ = try Failpoints.check()
                fatalError("not refused")
            } catch {}
            Failpoints.reach("test.place")
        }
    }
}
