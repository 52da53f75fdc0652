import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What the file of an armed place says: `HIT DEATHS`, each 1 where it is missing or no number.
struct FailpointArming: Equatable {
    /// The hit, counted in each process, from which on the place kills.
    let hit: Int
    /// How often it kills, 1…999: processes one after the other, each for another subject.
    let deaths: Int

    init(_ text: String) {
        let numbers = text.split { $0 == " " || $0 == "\n" }.map { Int($0) ?? 1 }
        hit = max(1, numbers.first ?? 1)
        deaths = min(max(1, numbers.dropFirst().first ?? 1), 999)
    }
}

/// The folder that arms places and keeps what died where: one file per armed place, one per death.
final class FailpointFolder: Sendable {
    let path: String
    /// How often each armed place was reached for a subject without a death there.
    private let reached = Mutex<[String: Int]>([:])

    /// - Throws: ``FailpointRefusal`` unless it is a folder of this user's that nobody else may read or write.
    init(_ path: String) throws(FailpointRefusal) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw FailpointRefusal(description: "\(Failpoints.variable) must name a folder; \(path) is none.")
        }
        guard status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
            throw FailpointRefusal(
                description: "\(Failpoints.variable): the folder \(path) must belong to this user alone (mode 0700)."
            )
        }
        self.path = path
    }

    /// Whether the process has to die now. The death is noted before this returns, and each number and each subject is given out
    /// once, whatever threads and processes ask at the same time.
    func mustDie(at name: String, about subjects: [String]) -> Bool {
        guard let arming = armed(name) else { return false }
        let files = Set(subjects.isEmpty ? ["-"] : subjects).map { "\(path)/\(name)@\(Self.fileName(of: $0))" }
        let alive = files.filter { access($0, F_OK) != 0 }
        guard !alive.isEmpty else { return false }
        let isReached = reached.withLock { reached in
            reached[name, default: 0] += 1
            return reached[name, default: 0] >= arming.hit
        }
        guard isReached, (1...arming.deaths).contains(where: { note("\(path)/\(name)#\($0)") }) else { return false }
        return alive.map(note).contains(true)
    }

    /// What an armed place's file says; `nil` when the place is not armed.
    private func armed(_ name: String) -> FailpointArming? {
        let descriptor = open("\(path)/\(name)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = read(descriptor, &bytes, bytes.count)
        return FailpointArming(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self))
    }

    /// Makes a file of a death: process and time in milliseconds since 1970. No when it was there already.
    private func note(_ file: String) -> Bool {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let text = Array("\(getpid()) \(now.tv_sec * 1000 + now.tv_nsec / 1_000_000)\n".utf8)
        _ = write(descriptor, text, text.count)
        return true
    }

    /// Subjects come from messages: everything but letters, digits and dashes is written as its hexadecimal value, so that none can leave
    /// the folder, and a long one is cut.
    static func fileName(of subject: String) -> String {
        var name = ""
        for byte in subject.utf8.prefix(60) {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D: name.unicodeScalars.append(Unicode.Scalar(byte))
            default: name += "_" + String(byte, radix: 16)
            }
        }
        return name
    }
}
