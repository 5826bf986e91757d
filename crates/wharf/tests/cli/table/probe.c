/* probe WHAT PATH [PATH2]: asks the kernel about files in ways that a shell does not. What it learns goes to standard output. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static int is(const char *a, const char *b) { return !strcmp(a, b); }

static int show(long result) {
    printf("%s\n", result < 0 ? strerror(errno) : "fine");
    return 0;
}

static int by_mmap(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) return show(-1);
    if (!st.st_size) return printf("empty\n"), 0;
    char *map = mmap(0, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    return map == MAP_FAILED ? show(-1) : (fwrite(map, 1, st.st_size, stdout), 0);
}

static int by_sendfile(const char *path) {
    int fd = open(path, O_RDONLY);
    fflush(stdout);
    ssize_t sent = sendfile(1, fd, 0, 1 << 20);
    return sent < 0 ? show(-1) : 0;
}

static int by_direct(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECT);
    char *buffer = aligned_alloc(4096, 4096);
    ssize_t length = fd < 0 ? -1 : read(fd, buffer, 4096);
    return length < 0 ? show(-1) : (fwrite(buffer, 1, length, stdout), 0);
}

/* One read by way of a ring; without IORING_SETUP flags, so that any kernel that has rings does it. */
static int by_uring(const char *path) {
    struct io_uring_params p = {0};
    int ring = syscall(SYS_io_uring_setup, 4, &p);
    if (ring < 0) return show(-1);
    char *sq = mmap(0, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(0, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *sqe = mmap(0, p.sq_entries * sizeof *sqe, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    static char buffer[4096];
    int fd = open(path, O_RDONLY);
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_READ;
    sqe->fd = fd;
    sqe->addr = (unsigned long)buffer;
    sqe->len = sizeof buffer;
    ((unsigned *)(sq + p.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) < 0) return show(-1);
    struct io_uring_cqe *done = (void *)(cq + p.cq_off.cqes);
    return done->res < 0 ? show(-1) : (fwrite(buffer, 1, done->res, stdout), 0);
}

static int by_copy_file_range(const char *path) {
    int from = open(path, O_RDONLY), to = open("/copied", O_WRONLY | O_CREAT, 0644);
    if (copy_file_range(from, 0, to, 0, 1 << 20, 0) < 0) return show(-1);
    return 0;
}

static int by_splice(const char *path) {
    int fd = open(path, O_RDONLY), ends[2];
    char buffer[4096];
    if (fd < 0 || pipe(ends) || splice(fd, 0, ends[1], 0, sizeof buffer, 0) < 0) return show(-1);
    return fwrite(buffer, 1, read(ends[0], buffer, sizeof buffer), stdout), 0;
}

static int map_and_write(const char *path) {
    int fd = open(path, O_RDWR);
    char *map = fd < 0 ? MAP_FAILED : mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return show(-1);
    map[0] = 'T';
    return show(msync(map, 4096, MS_SYNC));
}

/* Inode numbers as a listing has them, by name, without asking for any file's status. */
static int numbers(const char *path) {
    struct dirent **entries;
    int count = scandir(path, &entries, 0, alphasort);
    if (count < 0) return show(-1);
    for (int i = 0; i < count; i++) if (entries[i]->d_name[0] != '.') printf("%s %lu\n", entries[i]->d_name, (long)entries[i]->d_ino);
    return 0;
}

static sigjmp_buf fault;

static void on_fault(int number) { (void)number; siglongjmp(fault, 1); }

/* Whether there is a second page, by touching it. */
static int map_beyond(const char *path) {
    int fd = open(path, O_RDONLY);
    volatile char *map = mmap(0, 8192, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return show(-1);
    signal(SIGBUS, on_fault);
    if (sigsetjmp(fault, 1)) return puts("beyond"), 0;
    (void)map[4096];
    return puts("within"), 0;
}

/* How much there is from the tenth byte on, for those who give it on without reading it. */
static int give_beyond(const char *what, const char *path) {
    int fd = open(path, O_RDONLY), ends[2];
    off_t offset = 10;
    loff_t from = 10;
    if (is(what, "send-beyond")) return printf("%zd\n", sendfile(open("/dev/null", O_WRONLY), fd, &offset, 1)), 0;
    if (is(what, "splice-beyond")) return printf("%zd\n", pipe(ends) ? -1 : splice(fd, &from, ends[1], 0, 1, 0)), 0;
    int to = open("/copied", O_WRONLY | O_CREAT, 0644);
    return printf("%zd\n", copy_file_range(fd, &from, to, 0, 1, 0)), 0;
}

/* The names after the third, by going back to where a listing was. */
static int seek_dir(const char *path) {
    DIR *directory = opendir(path);
    struct dirent *entry;
    long at = 0;
    if (!directory) return show(-1);
    for (int i = 0; (entry = readdir(directory)); i++) if (i == 2) at = telldir(directory);
    for (seekdir(directory, at); (entry = readdir(directory));) puts(entry->d_name);
    return 0;
}

static int name_tmpfile(const char *directory, const char *name) {
    char link[64];
    int fd = open(directory, O_WRONLY | O_TMPFILE, 0644);
    if (fd < 0 || write(fd, "x", 1) < 0) return show(-1);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return show(linkat(AT_FDCWD, link, AT_FDCWD, name, AT_SYMLINK_FOLLOW));
}

/* What a handle opened before tells after the file was removed, or written to through another. */
static int by_old_handle(const char *what, const char *path) {
    char buffer[256];
    int fd = open(path, O_RDONLY);
    if (is(what, "read-unlinked") ? unlink(path) : pwrite(open(path, O_RDWR), "W", 1, 0) < 0) return show(-1);
    ssize_t length = pread(fd, buffer, sizeof buffer, 0);
    return length < 0 ? show(-1) : (fwrite(buffer, 1, length, stdout), 0);
}

/* Makes directories in each other, or goes down those that there are, and a file at the end. */
static int descend(const char *path, int depth) {
    if (chdir(path)) return show(-1);
    for (; depth > 0; depth--) if ((mkdir("d", 0755) && errno != EEXIST) || chdir("d")) return show(-1);
    return show(open("f", O_WRONLY | O_CREAT | O_EXCL, 0644));
}

static int make_socket(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return show(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof address));
}

static int open_beneath(const char *path) {
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
    return show(syscall(SYS_openat2, open("/d", O_PATH), path, &how, sizeof how));
}

/* Becomes another program, which closes the first file that is ever closed, after so many questions. */
static int exec_closing(const char *path, int questions) {
    char name[32];
    open(path, O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < questions; i++) {
        snprintf(name, sizeof name, "/absent%d", i);
        access(name, F_OK);
    }
    return execl("/bin/probe", "probe", "size", path, NULL);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "", *path = argc > 2 ? argv[2] : "", *second = argc > 3 ? argv[3] : "";
    struct statx stx;
    struct stat st;
    if (is(what, "exec-closing")) return exec_closing(path, atoi(second));
    if (is(what, "mmap")) return by_mmap(path);
    if (is(what, "sendfile")) return by_sendfile(path);
    if (is(what, "direct")) return by_direct(path);
    if (is(what, "uring")) return by_uring(path);
    if (is(what, "copy")) return by_copy_file_range(path);
    if (is(what, "splice")) return by_splice(path);
    if (is(what, "map-beyond")) return map_beyond(path);
    if (is(what, "send-beyond") || is(what, "splice-beyond") || is(what, "range-beyond")) return give_beyond(what, path);
    if (is(what, "left")) { int left; return ioctl(open(path, O_RDONLY), FIONREAD, &left) ? show(-1) : printf("%d\n", left), 0; }
    if (is(what, "seek-dir")) return seek_dir(path);
    if (is(what, "name-tmpfile")) return name_tmpfile(path, second);
    if (is(what, "read-unlinked") || is(what, "read-written")) return by_old_handle(what, path);
    if (is(what, "descend")) return descend(path, atoi(second));
    if (is(what, "socket")) return make_socket(path);
    if (is(what, "in-root")) return open_beneath(path);
    if (is(what, "punch")) return show(fallocate(open(path, O_RDWR), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4));
    if (is(what, "exec-only")) { char *args[] = {"s", 0}; syscall(SYS_execveat, open(path, O_PATH), "", args, args + 1, AT_EMPTY_PATH); return show(-1); }
    if (is(what, "map-write")) return map_and_write(path);
    if (is(what, "numbers")) return numbers(path);
    if (is(what, "lock")) return show(flock(open(path, O_RDONLY), LOCK_EX));
    if (is(what, "read-ahead")) return show(readahead(open(path, O_RDONLY), 0, 4096));
    if (is(what, "exec-handle")) { char *args[] = {"s", 0}; fexecve(open(path, O_RDONLY), args, args + 1); return show(-1); }
    if (is(what, "ids")) return printf("%d %d %d %d\n", getuid(), geteuid(), getgid(), getegid()), 0;
    if (is(what, "inode")) return lstat(path, &st) ? show(-1) : printf("%lu\n", (long)st.st_ino), 0;
    if (is(what, "pread-end")) { char c; int fd = open(path, O_RDONLY); return printf("%zd\n", pread(fd, &c, 1, 5)), 0; }
    if (is(what, "seek-end")) return printf("%ld\n", (long)lseek(open(path, O_RDONLY), 0, SEEK_END)), 0;
    if (is(what, "seek-hole")) return printf("%ld\n", (long)lseek(open(path, O_RDONLY), 0, SEEK_HOLE)), 0;
    if (is(what, "access-x")) return show(access(path, X_OK));
    if (is(what, "access-f")) return show(access(path, F_OK));
    if (is(what, "open-path")) return show(open(path, O_PATH));
    if (is(what, "open-nofollow")) return show(open(path, O_RDONLY | O_NOFOLLOW));
    if (is(what, "open-dir")) return show(open(path, O_RDONLY | O_DIRECTORY));
    if (is(what, "exclusive")) return show(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
    if (is(what, "create")) return show(open(path, O_WRONLY | O_CREAT, 0644));
    if (is(what, "append-nothing")) return show(open(path, O_WRONLY | O_APPEND));
    if (is(what, "read-write")) return show(open(path, O_RDWR));
    if (is(what, "truncate")) return show(truncate(path, 2));
    if (is(what, "tmpfile")) { int fd = open(path, O_WRONLY | O_TMPFILE, 0644); return show(fd < 0 ? fd : write(fd, "x", 1)); }
    if (is(what, "rename")) return show(rename(path, second));
    if (is(what, "exchange")) return show(syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, second, 2));
    if (is(what, "noreplace")) return show(syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, second, 1));
    if (is(what, "link")) return show(link(path, second));
    if (is(what, "watch")) return show(inotify_add_watch(inotify_init(), path, IN_ALL_EVENTS));
    if (is(what, "mode")) return lstat(path, &st) ? show(-1) : printf("%o %d:%d\n", st.st_mode, st.st_uid, st.st_gid), 0;
    if (is(what, "size")) return lstat(path, &st) ? show(-1) : printf("%ld\n", (long)st.st_size), 0;
    if (is(what, "names")) return lstat(path, &st) ? show(-1) : printf("%ld\n", (long)st.st_nlink), 0;
    if (is(what, "device")) return lstat(path, &st) ? show(-1) : printf("%lx\n", (long)st.st_rdev), 0;
    if (is(what, "size-lazily")) return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_SIZE, &stx) ? show(-1) : printf("%ld\n", (long)stx.stx_size), 0;
    if (is(what, "getxattr")) { char value[256]; ssize_t n = getxattr(path, second, value, 255); return n < 0 ? show(-1) : (fwrite(value, 1, n, stdout), 0); }
    if (is(what, "listxattr")) { char names[1024]; ssize_t n = listxattr(path, names, sizeof names); return n < 0 ? show(-1) : (fwrite(names, 1, n, stdout), 0); }
    if (is(what, "xattr-size")) { ssize_t n = getxattr(path, second, 0, 0); return n < 0 ? show(-1) : printf("%zd\n", n), 0; }
    if (is(what, "remove-xattr")) return show(removexattr(path, second));
    if (is(what, "blocks")) return lstat(path, &st) ? show(-1) : printf("%ld %ld\n", (long)st.st_blocks, (long)st.st_blksize), 0;
    if (is(what, "links-only")) return statx(AT_FDCWD, path, 0, STATX_NLINK, &stx) ? show(-1) : printf("%u\n", stx.stx_nlink), 0;
    if (is(what, "setxattr")) return show(setxattr(path, second, "v", 1, 0));
    fprintf(stderr, "probe: %s?\n", what);
    return 2;
}
