import Glibc

/// The clocks of the shell.
enum SupervisorClock {
    /// The monotonic clock; stands still while the machine is suspended.
    static func now() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Wall time as text.
    static func wallText() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime.text(millisecondsSince1970: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
