/* Loaded before the C library: lets the Nth fsync of one directory fail, as a failing disk does.
 *   FAULT_DIRECTORY=DIR FAULT_NUMBER=N LD_PRELOAD=... */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd) {
  static int seen;
  const char* directory = getenv("FAULT_DIRECTORY");
  const char* number = getenv("FAULT_NUMBER");
  struct stat wanted, given;
  if (directory != NULL && number != NULL && stat(directory, &wanted) == 0 && fstat(fd, &given) == 0 &&
      wanted.st_dev == given.st_dev && wanted.st_ino == given.st_ino && ++seen == atoi(number)) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fsync, fd);
}
