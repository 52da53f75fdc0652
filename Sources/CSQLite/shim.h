/* Parts of SQLite that Swift cannot reach by itself: functions with variable arguments, and constants that are pointers. */
#ifndef CSQLITE_SHIM_H
#define CSQLITE_SHIM_H

#include <sqlite3.h>
#include <stddef.h>

/* Has SQLite not count its memory: the count takes a mutex of the whole process at each allocation. Only before anything else is
   called in SQLite; later it is refused (SQLITE_MISUSE) and changes nothing. */
static inline int sqlite_settings_stop_counting_memory(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Binds bytes, which SQLite copies. No bytes are an empty value, not NULL. */
static inline int sqlite_bind_copy(sqlite3_stmt *statement, int index, const void *bytes, size_t count) {
    if (count == 0) return sqlite3_bind_zeroblob(statement, index, 0);
    return sqlite3_bind_blob64(statement, index, bytes, (sqlite3_uint64)count, SQLITE_TRANSIENT);
}

#endif
