package db

// SQLite's own switches that go-sqlite3 has no parameter for. They are set before the first connection is opened.
//
//   - MEMSTATUS off: nobody reads the allocation statistics, which take a mutex at every allocation.
//   - QPSG (query planner stability guarantee) on: without it SQLite plans a statement anew whenever a value is bound that it might
//     plan better for, and go-sqlite3 unbinds all values after each use. A cached statement was thus parsed again at each
//     execution: two thirds of what a look-up by key costs.

/*
#cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-in-object-files
#cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup

typedef struct sqlite3 sqlite3;
extern int sqlite3_config(int, ...);
extern int sqlite3_auto_extension(void (*)(void));
extern int sqlite3_db_config(sqlite3 *, int, ...);

// The numbers are part of SQLite's stable interface (sqlite3.h).
enum { CONFIG_MEMSTATUS = 9, DBCONFIG_ENABLE_QPSG = 1007 };

static int each_connection(sqlite3 *db, const char **message, const void *api) {
	return sqlite3_db_config(db, DBCONFIG_ENABLE_QPSG, 1, (int *)0);
}

static int engine_switches(void) {
	int rc = sqlite3_config(CONFIG_MEMSTATUS, 0);
	if (rc == 0) rc = sqlite3_auto_extension((void (*)(void))each_connection);
	return rc;
}
*/
import "C"

import "fmt"

// engineError is why the switches could not be set; Open reports it.
var engineError = func() error {
	if rc := C.engine_switches(); rc != 0 {
		return fmt.Errorf("db: setting up SQLite: code %d", int(rc))
	}
	return nil
}()
