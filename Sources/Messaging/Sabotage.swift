/// Switches one guard off on purpose, to show that a checker notices: the tests of the tests.
///
/// A guard asks `Sabotage.isOn("its-name")`. In release builds the answer is the constant `false`, which the optimizer
/// removes together with the branch; only debug builds can be sabotaged. The names are listed in `docs/sabotage.md`.
///
/// A guard is off for one task and its children, not for the process: worlds of a simulation run side by side, each with its own.
/// What runs on a thread of its own, such as the writer of a store on a real file, is not reached.
public enum Sabotage {
    #if DEBUG
    /// Whether guards can be switched off in this build.
    public static let isPossible = true
    @TaskLocal private static var active: String?

    /// Runs something without a guard.
    ///
    /// - Parameter name: the guard; `nil` leaves everything as it is.
    public nonisolated(nonsending) static func without<Value>(
        _ name: String?,
        _ body: nonisolated(nonsending) () async throws -> Value
    ) async rethrows -> Value {
        guard let name else { return try await body() }
        return try await $active.withValue(name) { try await body() }
    }

    /// Whether this guard is switched off.
    public static func isOn(_ name: StaticString) -> Bool {
        guard let active else { return false }
        return active == String(describing: name)
    }
    #else
    /// Whether guards can be switched off in this build.
    public static let isPossible = false

    /// Runs something; a release build has no guard to switch off.
    public nonisolated(nonsending) static func without<Value>(
        _ name: String?,
        _ body: nonisolated(nonsending) () async throws -> Value
    ) async rethrows -> Value {
        try await body()
    }

    /// Whether this guard is switched off: never in a release build.
    @inlinable
    @inline(__always)
    public static func isOn(_ name: StaticString) -> Bool { false }
    #endif
}
