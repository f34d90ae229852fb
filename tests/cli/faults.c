/* Loaded before the C library: lets the Nth fsync of one directory fail, as a failing disk does, or every new thread,
 * as where memory or processes are limited. FAULT_DIRECTORY=DIR FAULT_NUMBER=N LD_PRELOAD=...      FAULT_THREADS=1
 * LD_PRELOAD=... */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
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

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
  typedef int create_function(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  create_function* create;
  if (getenv("FAULT_THREADS") != NULL) return EAGAIN;
  *(void**)&create = dlsym(RTLD_NEXT, "pthread_create");
  return create(thread, attributes, start, argument);
}
