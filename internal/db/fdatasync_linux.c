// SQLite calls fdatasync where its configure script has found it, and else fsync; go-sqlite3 is built without the script. The difference is the
// file's times, which cost each commit a second write to the disk; the data and the file's size are flushed by both (fdatasync(2)). Nothing
// else in the program calls libc's fsync: os.File.Sync makes the system call itself.

#include <unistd.h>

int fsync(int fd) { return fdatasync(fd); }
