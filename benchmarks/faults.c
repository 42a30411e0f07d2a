/* Makes reads and writes below one folder fail or kill the process, for benchmarks.faults; see there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NONE, FULL, UNREADABLE, KILLED, TERMINATED };
struct plan { int kind, wait, last; };  /* after `wait` calls of the kind, `last` of them are hit */

static struct plan *plan;
static const char *folder;

__attribute__((constructor)) static void prepare(void) {
    const char *path = getenv("FAULTS_PLAN");
    folder = getenv("FAULTS_FOLDER");
    int fd = path && folder ? open(path, O_RDWR) : -1;
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    plan = shared == MAP_FAILED ? NULL : shared;
    close(fd);
}

/* Whether this call is hit: counted over all processes, for files below the folder only. */
static int hit_path(const char *path, int reads) {
    if (!plan || plan->kind == NONE || (plan->kind == UNREADABLE) != reads) return 0;
    if (strncmp(path, folder, strlen(folder))) return 0;
    if (__sync_fetch_and_sub(&plan->wait, 1) > 0) return 0;
    if (__sync_fetch_and_sub(&plan->last, 1) <= 0) return 0;
    if (plan->kind == KILLED) raise(SIGKILL);
    if (plan->kind == TERMINATED) { raise(SIGTERM); return 0; }
    errno = plan->kind == FULL ? ENOSPC : EIO;
    return 1;
}

static int hit(int fd, int reads) {
    if (!plan || plan->kind == NONE || (plan->kind == UNREADABLE) != reads) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return hit_path(path, reads);
}

#define HOOK(type, name, parameters, arguments, fd, reads)                     \
    type name parameters {                                                     \
        static type (*real) parameters;                                        \
        if (!real) real = (type (*) parameters)dlsym(RTLD_NEXT, #name);        \
        return hit(fd, reads) ? -1 : real arguments;                           \
    }

HOOK(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), fd, 1)
HOOK(ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), fd, 1)
HOOK(ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at), fd, 1)
HOOK(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), fd, 0)
HOOK(ssize_t, writev, (int fd, const struct iovec *data, int count), (fd, data, count), fd, 0)
HOOK(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), fd, 0)
HOOK(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at), fd, 0)
HOOK(int, fsync, (int fd), (fd), fd, 0)
HOOK(int, fdatasync, (int fd), (fd), fd, 0)
HOOK(int, ftruncate64, (int fd, off64_t size), (fd, size), fd, 0)

/* New names need room as well. */
#define HOOK_PATH(name, parameters, arguments, path)                           \
    int name parameters {                                                      \
        static int (*real) parameters;                                         \
        if (!real) real = (int (*) parameters)dlsym(RTLD_NEXT, #name);         \
        return hit_path(path, 0) ? -1 : real arguments;                        \
    }

HOOK_PATH(mkdir, (const char *path, mode_t mode), (path, mode), path)
HOOK_PATH(rename, (const char *from, const char *to), (from, to), to)

#define HOOK_OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                               \
        static int (*real)(const char *, int, ...);                            \
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        va_list rest;                                                          \
        va_start(rest, flags);                                                 \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;              \
        va_end(rest);                                                          \
        return flags & O_CREAT && hit_path(path, 0) ? -1 : real(path, flags, mode); \
    }

HOOK_OPEN(open)
HOOK_OPEN(open64)
