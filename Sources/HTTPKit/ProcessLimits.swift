#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Limits that the system sets for this process.
public enum ProcessLimits {
    /// Raises the soft limit of open files to the hard one (at most 65 536), so that connections run out before descriptors do.
    ///
    /// - Returns: the limit afterwards; nil when it cannot be read.
    @discardableResult
    public static func raiseOpenFiles() -> Int? {
        // RLIMIT_NOFILE is an enum in one C library and a number in the others; 7 is its value on Linux.
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        var limits = rlimit()
        guard getrlimit(resource, &limits) == 0 else { return nil }
        let wanted = min(limits.rlim_max, 65_536)
        if limits.rlim_cur < wanted {
            limits.rlim_cur = wanted
            _ = setrlimit(resource, &limits)
            guard getrlimit(resource, &limits) == 0 else { return nil }
        }
        return Int(clamping: limits.rlim_cur)
    }
}
