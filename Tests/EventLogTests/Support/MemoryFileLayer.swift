import NIOCore
import Synchronization

@testable import EventLog

/// Files in memory that behave as a disk does when the power goes: what was not synchronised may be lost, in part or out
/// of order, page by page; directory changes that were not synchronised survive up to some point.
///
/// Thread-safe: everything is behind one lock.
final class MemoryFileLayer: FileLayer {
    /// The size in which writes are torn.
    static let page = 512

    fileprivate enum Change {
        case write(position: Int, bytes: [UInt8])
        case resize(Int)
    }

    /// A file's contents: as a reader sees them, and as the disk certainly has them.
    fileprivate final class Node {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        var changes: [Change] = []

        func apply(_ change: Change) {
            Node.apply(change, to: &bytes)
            changes.append(change)
        }

        static func apply(_ change: Change, to bytes: inout [UInt8]) {
            switch change {
            case .resize(let size):
                if size <= bytes.count {
                    bytes.removeLast(bytes.count - size)
                } else {
                    bytes += [UInt8](repeating: 0, count: size - bytes.count)
                }
            case .write(let position, let new):
                if bytes.count < position + new.count {
                    bytes += [UInt8](repeating: 0, count: position + new.count - bytes.count)
                }
                bytes.replaceSubrange(position..<position + new.count, with: new)
            }
        }

        /// What a power cut may leave.
        func image(_ random: inout some RandomNumberGenerator) -> Node {
            var result = durable
            for change in changes {
                switch change {
                case .resize:
                    if Bool.random(using: &random) { Node.apply(change, to: &result) }
                case .write(let position, let bytes):
                    var start = 0
                    while start < bytes.count {
                        let end = min(
                            bytes.count,
                            ((position + start) / MemoryFileLayer.page + 1) * MemoryFileLayer.page - position
                        )
                        if Bool.random(using: &random) {
                            Node.apply(
                                .write(position: position + start, bytes: Array(bytes[start..<end])),
                                to: &result
                            )
                        }
                        start = end
                    }
                }
            }
            let node = Node()
            node.bytes = result
            node.durable = result
            return node
        }
    }

    fileprivate enum EntryChange {
        case link(String, Node)
        case unlink(String)
        case makeDirectory(String)
        case removeDirectory(String)
    }

    /// Names, now and on the disk. Paths of directories map to nil nodes.
    fileprivate struct Names {
        var files: [String: Node] = [:]
        var directories: Set<String> = ["/"]

        mutating func apply(_ change: EntryChange) {
            switch change {
            case .link(let path, let node): files[path] = node
            case .unlink(let path): files[path] = nil
            case .makeDirectory(let path): directories.insert(path)
            case .removeDirectory(let path): directories.remove(path)
            }
        }
    }

    fileprivate struct State {
        var names = Names()
        var durable = Names()
        /// Changes of a directory since it was synchronised.
        var changes: [String: [EntryChange]] = [:]
        var locks: Set<String> = []
    }

    /// Called before every operation that changes something; throws to inject a fault.
    typealias Injector = @Sendable (_ operation: String, _ path: String) throws(StorageError) -> Void

    private let state: Mutex<State>
    private let injector: Injector?
    /// Whether synchronising files only pretends.
    private let lies: Bool

    init(lies: Bool = false, injector: Injector? = nil) {
        state = Mutex(State())
        self.lies = lies
        self.injector = injector
    }

    private init(names: sending Names, injector: Injector?) {
        var initial = State()
        initial.durable = names
        initial.names = names
        state = Mutex(initial)
        lies = false
        self.injector = injector
    }

    /// The disk after a power cut at this moment.
    func crash(seed: UInt64, injector: Injector? = nil) -> MemoryFileLayer {
        state.withLock { state in
            var random = SplitMix(seed: seed)
            var names = state.durable
            for directory in state.changes.keys.sorted() {
                guard let changes = state.changes[directory] else { continue }
                for change in changes.prefix(Int.random(in: 0...changes.count, using: &random)) { names.apply(change) }
            }
            var image = Names()
            image.directories = names.directories
            for path in names.files.keys.sorted() {
                if let node = names.files[path] { image.files[path] = node.image(&random) }
            }
            // The nodes are fresh: nothing else refers to them.
            nonisolated(unsafe) let fresh = image
            return MemoryFileLayer(names: fresh, injector: injector)
        }
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    fileprivate static func missing(_ operation: String, _ path: String) -> StorageError {
        StorageError(.other, operation, path, "no such file")
    }

    private func change(_ path: String, _ changes: [EntryChange], _ state: inout State) {
        for change in changes {
            state.names.apply(change)
            state.changes[Self.parent(path), default: []].append(change)
        }
    }

    func makeDirectory(_ path: String) throws(StorageError) {
        try injector?("mkdir", path)
        state.withLock { state in
            if !state.names.directories.contains(path) { change(path, [.makeDirectory(path)], &state) }
        }
    }

    func entries(of directory: String) throws(StorageError) -> [String] {
        let names = state.withLock { state -> [String]? in
            guard state.names.directories.contains(directory) else { return nil }
            let all = Array(state.names.files.keys) + Array(state.names.directories)
            return all.filter { $0 != directory && Self.parent($0) == directory }.map {
                String($0.dropFirst(directory.count + 1))
            }
        }
        guard let names else { throw Self.missing("opendir", directory) }
        return names
    }

    func open(_ path: String, create: Bool) throws(StorageError) -> any LogFile {
        if create, !exists(path) { try injector?("create", path) }
        let file = state.withLock { state -> MemoryFile? in
            if let node = state.names.files[path] { return MemoryFile(layer: self, node: node, path: path) }
            guard create else { return nil }
            let node = Node()
            change(path, [.link(path, node)], &state)
            return MemoryFile(layer: self, node: node, path: path)
        }
        guard let file else { throw Self.missing("open", path) }
        return file
    }

    func exists(_ path: String) -> Bool {
        state.withLock { $0.names.files[path] != nil || $0.names.directories.contains(path) }
    }

    func rename(_ source: String, to target: String) throws(StorageError) {
        try injector?("rename", source)
        let isDone = state.withLock { state -> Bool in
            if let node = state.names.files[source] {
                change(source, [.unlink(source), .link(target, node)], &state)
                return true
            }
            guard state.names.directories.contains(source) else { return false }
            var changes: [EntryChange] = [.makeDirectory(target)]
            for (path, node) in state.names.files where Self.parent(path) == source {
                changes += [.link(target + path.dropFirst(source.count), node), .unlink(path)]
            }
            changes.append(.removeDirectory(source))
            // One step on a disk: all of it or nothing.
            for change in changes {
                state.names.apply(change)
                state.durable.apply(change)
            }
            return true
        }
        if !isDone { throw Self.missing("rename", source) }
    }

    func remove(_ path: String) throws(StorageError) {
        try injector?("unlink", path)
        state.withLock { state in
            if state.names.files[path] != nil { change(path, [.unlink(path)], &state) }
        }
    }

    func removeDirectory(_ path: String) throws(StorageError) {
        try injector?("rmdir", path)
        state.withLock { change(path, [.removeDirectory(path)], &$0) }
    }

    func synchronizeDirectory(_ path: String) throws(StorageError) {
        try injector?("syncdir", path)
        state.withLock { state in
            for change in state.changes[path] ?? [] { state.durable.apply(change) }
            state.changes[path] = nil
        }
    }

    func lock(_ path: String) throws(StorageError) -> any FileLock {
        let isTaken = state.withLock { !$0.locks.insert(path).inserted }
        if isTaken { throw StorageError(.locked, "lock", path, "in use") }
        return MemoryLock { [self] in
            state.withLock { _ = $0.locks.remove(path) }
        }
    }

    /// Overwrites a file on this disk, durably; for tests that damage it.
    func overwrite(_ path: String, _ body: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard let node = state.names.files[path] else { return }
            body(&node.bytes)
            node.durable = node.bytes
            node.changes = []
        }
    }

    func bytes(_ path: String) -> [UInt8]? { state.withLock { $0.names.files[path]?.bytes } }

    private final class MemoryFile: LogFile, @unchecked Sendable {
        private let layer: MemoryFileLayer
        // Guarded by the layer's lock.
        private let node: Node
        private let path: String

        init(layer: MemoryFileLayer, node: Node, path: String) {
            self.layer = layer
            self.node = node
            self.path = path
        }

        func size() -> Int { layer.state.withLock { _ in node.bytes.count } }

        func read(at position: Int, count: Int) -> ByteBuffer {
            layer.state.withLock { _ in
                guard position < node.bytes.count else { return ByteBuffer() }
                return ByteBuffer(bytes: node.bytes[position..<min(node.bytes.count, position + count)])
            }
        }

        func write(_ buffers: [ByteBuffer], at position: Int) throws(StorageError) {
            var position = position
            for buffer in buffers {
                try layer.injector?("write", path)
                layer.state.withLock { _ in
                    node.apply(.write(position: position, bytes: Array(buffer.readableBytesView)))
                }
                position += buffer.readableBytes
            }
        }

        func synchronize() throws(StorageError) {
            try layer.injector?("sync", path)
            guard !layer.lies else { return }
            layer.state.withLock { _ in
                node.durable = node.bytes
                node.changes = []
            }
        }

        func allocate(to size: Int) throws(StorageError) {
            try layer.injector?("allocate", path)
            layer.state.withLock { _ in
                if size > node.bytes.count { node.apply(.resize(size)) }
            }
        }

        func truncate(to size: Int) throws(StorageError) {
            try layer.injector?("truncate", path)
            layer.state.withLock { _ in node.apply(.resize(size)) }
        }
    }

    private final class MemoryLock: FileLock {
        private let onRelease: @Sendable () -> Void

        init(_ onRelease: @escaping @Sendable () -> Void) { self.onRelease = onRelease }

        func release() { onRelease() }
        deinit { onRelease() }
    }
}

/// A small generator with a seed (SplitMix64), so that a failure can be run again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
