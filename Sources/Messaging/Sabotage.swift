import Synchronization

/// Switches one guard off on purpose, to show that a checker notices: the tests of the tests.
///
/// A guard asks `Sabotage.isOn("its-name")`. In release builds the answer is the constant `false`, which the optimizer
/// removes together with the branch; only debug builds can be sabotaged. The names are listed in `docs/sabotage.md`.
public enum Sabotage {
    #if DEBUG
    /// Whether guards can be switched off in this build.
    public static let isPossible = true
    private static let state = Mutex<String?>(nil)

    /// The guard that is switched off; `nil` for none.
    public static var active: String? {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }

    /// Whether this guard is switched off.
    public static func isOn(_ name: StaticString) -> Bool {
        state.withLock { active in
            guard let active else { return false }
            return active == String(describing: name)
        }
    }
    #else
    /// Whether guards can be switched off in this build.
    public static let isPossible = false

    /// The guard that is switched off; in a release build always `nil`.
    public static var active: String? {
        get { nil }
        set {}
    }

    /// Whether this guard is switched off: never in a release build.
    @inlinable
    @inline(__always)
    public static func isOn(_ name: StaticString) -> Bool { false }
    #endif
}
