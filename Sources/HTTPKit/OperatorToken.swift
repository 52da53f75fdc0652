import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A secret that a bearer must present. It never shows in descriptions or mirrors.
public struct OperatorToken: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// A token file cannot be used, said in one sentence without the token.
    public struct FileError: Error, Sendable, CustomStringConvertible {
        /// What is wrong and what to do.
        public let description: String
    }

    private let secret: [UInt8]

    /// Shortest and longest token, in bytes.
    public static let lengths = 16...512

    /// Takes a token; nil unless it is ``lengths`` bytes of visible ASCII.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard Self.lengths.contains(bytes.count), bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        secret = bytes
    }

    /// Reads the token from a file. White space around it is left out.
    ///
    /// The file must be an ordinary one that belongs to us or to root and that nobody else can read or write (mode 0600 or 0400);
    /// symbolic links are not followed. Blocks while it reads: for the start of a process.
    public init(file path: String) throws(FileError) {
        try Self.checkProtection(of: path)
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw FileError(
                description: "The token file \(path) cannot be opened: \(String(cString: strerror(errno)))."
            )
        }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: Self.lengths.upperBound + 64)
        let capacity = buffer.count
        let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, capacity) }
        guard count >= 0 else {
            throw FileError(description: "The token file \(path) cannot be read: \(String(cString: strerror(errno))).")
        }
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        let text = Array(buffer[..<count].drop(while: isSpace).reversed().drop(while: isSpace).reversed())
        guard count < capacity, let token = OperatorToken(String(decoding: text, as: UTF8.self)) else {
            throw FileError(
                description: "The token file \(path) must hold one token of \(Self.lengths.lowerBound) to "
                    + "\(Self.lengths.upperBound) visible characters."
            )
        }
        self = token
    }

    private static func checkProtection(of path: String) throws(FileError) {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else {
            throw FileError(description: "The token file \(path) does not exist or cannot be examined.")
        }
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw FileError(description: "The token file \(path) is not an ordinary file.")
        }
        let owner = (attributes[.ownerAccountID] as? NSNumber)?.int64Value
        guard owner == Int64(geteuid()) || owner == 0 else {
            throw FileError(description: "The token file \(path) belongs to another user.")
        }
        let mode = (attributes[.posixPermissions] as? NSNumber)?.int64Value
        guard let mode, mode & 0o077 == 0 else {
            throw FileError(description: "The token file \(path) can be read by others; run: chmod 600 \(path)")
        }
    }

    /// Whether `presented` is the token. The time taken depends on the length of `presented` only.
    public func matches(_ presented: String) -> Bool {
        var difference = UInt64(truncatingIfNeeded: presented.utf8.count ^ secret.count)
        var index = 0
        for byte in presented.utf8 {
            difference |= UInt64(byte ^ secret[index])
            index = index + 1 == secret.count ? 0 : index + 1
        }
        return difference == 0
    }

    /// Says nothing.
    public var description: String { "OperatorToken(hidden)" }

    /// Says nothing.
    public var debugDescription: String { description }

    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
