import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The pages of program text that only starting up needs: about half of what an idle service keeps resident.
public enum StartupText {
    /// Gives them back. What is needed again is mapped again from the page cache, a few microseconds each; text is never written, so
    /// nothing can be lost. Does nothing where there is no `/proc`.
    public static func release() {
        #if os(Linux)
        for (start, end) in mappings() {
            guard let address = UnsafeMutableRawPointer(bitPattern: start) else { continue }
            _ = madvise(address, Int(end - start), MADV_DONTNEED)
        }
        #endif
    }

    /// Mappings of files that are executable and cannot be written.
    static func mappings() -> [(start: UInt, end: UInt)] {
        // Reading a file as a whole goes by its size, which is 0 here, and ends after the first page.
        guard let maps = FileHandle(forReadingAtPath: "/proc/self/maps"), let content = try? maps.readToEnd() else {
            return []
        }
        return String(decoding: content, as: UTF8.self).split(separator: "\n").compactMap { line in
            // 7f3c1a000000-7f3c1a200000 r-xp 00000000 08:01 131 /usr/lib/libc.so.6
            let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count == 6, fields[1] == "r-xp", fields[5].drop(while: { $0 == " " }).hasPrefix("/") else {
                return nil
            }
            let range = fields[0].split(separator: "-")
            guard range.count == 2, let start = UInt(range[0], radix: 16), let end = UInt(range[1], radix: 16),
                start < end
            else { return nil }
            return (start, end)
        }
    }
}
