/* LD_PRELOAD: /dev/dma_heap/... made of memfd, for kernels that have none. libcamera's virtual camera takes its buffers
 * from there. Only what that needs is there: open, allocate, and the ioctls around an access to a buffer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(name, ...) ((int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

static int names_heap(const char *path)
{
    return !strncmp(path, "/dev/dma_heap/", 14);
}

/* A descriptor is one of ours if its device and inode are: those stay right when it is closed or copied. */
static dev_t heap_device;
static ino_t heap_inode;

static int open_heap(void)
{
    static int kept = -1; /* so that the inode stays ours */
    struct stat status;
    if (kept < 0) {
        kept = memfd_create("dma-heap", MFD_CLOEXEC);
        if (kept < 0 || fstat(kept, &status))
            return -1;
        heap_device = status.st_dev;
        heap_inode = status.st_ino;
    }
    return fcntl(kept, F_DUPFD_CLOEXEC, 3);
}

static int is_heap(int fd)
{
    struct stat status;
    return heap_inode && !fstat(fd, &status) && status.st_dev == heap_device && status.st_ino == heap_inode;
}

static int allocate(struct dma_heap_allocation_data *wanted)
{
    int fd = memfd_create("dma-buf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (wanted->len + 4095) & ~4095UL))
        return -1;
    wanted->fd = fd;
    return 0;
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, last); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        MODE(flags, flags) \
        return names_heap(path) ? open_heap() : NEXT(#name, const char *, int, mode_t)(path, flags, mode); \
    }

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) \
    { \
        MODE(flags, flags) \
        return names_heap(path) ? open_heap() : NEXT(#name, int, const char *, int, mode_t)(folder, path, flags, mode); \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (request == DMA_HEAP_IOCTL_ALLOC && is_heap(fd))
        return allocate(argument);
    int result = NEXT("ioctl", int, unsigned long, void *)(fd, request, argument);
    /* On memory that all see alike there is nothing to synchronise, and a name is only for people. */
    if (result < 0 && _IOC_TYPE(request) == DMA_BUF_BASE) {
        errno = 0;
        return 0;
    }
    return result;
}
