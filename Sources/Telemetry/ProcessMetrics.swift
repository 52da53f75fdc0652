#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The standard `process_*` metrics of a Prometheus client: CPU, memory, open files, start time.
public enum ProcessMetrics {
    /// Keeps the process metrics of `registry` up to date; they are read anew for each rendering.
    ///
    /// The readings come from `getrusage` and from `/proc`, which is memory of the kernel: nothing here waits for a disk.
    public static func install(in registry: PrometheusRegistry) {
        let cpu = registry.gauge("process_cpu_seconds_total", help: "User and system CPU time in seconds.")
        let resident = registry.gauge("process_resident_memory_bytes", help: "Resident memory in bytes.")
        let files = registry.gauge("process_open_fds", help: "Open file descriptors.")
        let start = registry.gauge("process_start_time_seconds", help: "When the process started, in Unix seconds.")
        start.set(Double(time(nil)))
        registry.beforeRendering {
            cpu.set(cpuSeconds())
            if let bytes = residentBytes() { resident.set(bytes) }
            if let count = openFiles() { files.set(count) }
        }
    }

    private static func cpuSeconds() -> Double {
        var usage = rusage()
        // RUSAGE_SELF, which the C libraries declare with different types.
        let thisProcess: Int32 = 0
        guard getrusage(thisProcess, &usage) == 0 else { return 0 }
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(
            usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
        ) / 1e6
    }

    /// The second number of `/proc/self/statm` is the resident set in pages.
    private static func residentBytes() -> Double? {
        guard let file = fopen("/proc/self/statm", "r") else { return nil }
        defer { fclose(file) }
        var line = [UInt8](repeating: 0, count: 128)
        let count = fread(&line, 1, line.count, file)
        let fields = line[..<count].split(separator: 0x20)
        guard fields.count > 1, let pages = Double(String(decoding: fields[1], as: UTF8.self)) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func openFiles() -> Double? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Without `.`, `..` and the descriptor of this listing.
        return Double(max(0, count - 3))
    }
}
