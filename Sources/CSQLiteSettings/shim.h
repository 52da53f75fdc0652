/* Settings of SQLite behind functions with variable arguments, which Swift cannot call. */
#ifndef CSQLITESETTINGS_SHIM_H
#define CSQLITESETTINGS_SHIM_H

#include <sqlite3.h>

/* Has SQLite not count its memory: the count takes a mutex of the whole process at each allocation. Only before anything else is
   called in SQLite; later it is refused (SQLITE_MISUSE) and changes nothing. */
static inline int sqlite_settings_stop_counting_memory(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

#endif
