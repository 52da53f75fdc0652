/// The process table: everything that one supervisor looks after, in start order.
public struct ProcessTable: Sendable, Equatable {
    /// The most processes in one table.
    public static let limit = 64
    /// The version of the JSON form that this code reads.
    public static let version = 1

    /// The entries, each after the ones it depends on; otherwise as in the file.
    public let processes: [ProcessSpecification]
    /// The time for stopping everything.
    public let shutdownLimit: Duration

    /// Checks and sorts the entries.
    ///
    /// - Throws: ``SupervisionError`` for a doubled id, an unknown dependency, a circle, or more than ``limit`` entries.
    public init(_ entries: [ProcessSpecification], shutdownLimit: Duration = .seconds(10)) throws(SupervisionError) {
        guard entries.count <= Self.limit else {
            throw SupervisionError("the process table has more than \(Self.limit) entries")
        }
        var known: Set<String> = []
        for entry in entries where !known.insert(entry.id).inserted {
            throw SupervisionError("the process table names '\(entry.id)' twice")
        }
        for entry in entries {
            for dependency in entry.dependsOn where !known.contains(dependency) {
                throw SupervisionError("'\(entry.id)' depends on '\(dependency)', which is not in the process table")
            }
        }
        var sorted: [ProcessSpecification] = []
        var placed: Set<String> = []
        var rest = entries
        while !rest.isEmpty {
            guard let index = rest.firstIndex(where: { $0.dependsOn.allSatisfy(placed.contains) }) else {
                let names = rest.map(\.id).joined(separator: ", ")
                throw SupervisionError("these processes depend on each other in a circle: \(names)")
            }
            let entry = rest.remove(at: index)
            placed.insert(entry.id)
            sorted.append(entry)
        }
        processes = sorted
        self.shutdownLimit = shutdownLimit
    }

    /// The entry with this id.
    public subscript(id: String) -> ProcessSpecification? {
        processes.first { $0.id == id }
    }

    /// The ids that depend directly on each id.
    public var dependents: [String: Set<String>] {
        var result: [String: Set<String>] = [:]
        for entry in processes {
            for dependency in entry.dependsOn { result[dependency, default: []].insert(entry.id) }
        }
        return result
    }
}

extension ProcessTable: Decodable {
    enum CodingKeys: String, CodingKey {
        case version, shutdownSeconds, processes
    }

    /// Decodes and checks a table.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let version = try values.decode(Int.self, forKey: .version)
        guard version == Self.version else {
            throw SupervisionError(
                "the process table has version \(version); this supervisor reads version \(Self.version)"
            )
        }
        let seconds = try values.decodeIfPresent(Double.self, forKey: .shutdownSeconds) ?? 10
        guard seconds >= 1, seconds <= 600 else { throw SupervisionError("shutdownSeconds must be 1 to 600") }
        let entries = try values.decode([ProcessSpecification].self, forKey: .processes)
        try self.init(entries, shutdownLimit: .milliseconds(Int64(seconds * 1000)))
    }
}

/// What has to be done to get from one table to another.
public struct ProcessTableChange: Sendable, Equatable {
    /// Ids that are only in the new table.
    public var added: [String] = []
    /// Ids that are only in the old table.
    public var removed: [String] = []
    /// Ids whose entry differs.
    public var changed: [String] = []

    /// Compares two tables.
    public init(from old: ProcessTable, to new: ProcessTable) {
        for entry in new.processes {
            guard let before = old[entry.id] else {
                added.append(entry.id)
                continue
            }
            if before != entry { changed.append(entry.id) }
        }
        removed = old.processes.map(\.id).filter { new[$0] == nil }
    }
}
