import CSQLite

/// Settings of SQLite that hold for the whole process.
public enum SQLiteLibrary {
    /// Has SQLite not count the memory that it uses: nobody reads the count, and it costs a mutex that all connections of the
    /// process share at every allocation. Call it before the first connection is opened; later it changes nothing.
    public static func prepare() { _ = isPrepared }

    private static let isPrepared = sqlite_settings_stop_counting_memory() == 0
}
