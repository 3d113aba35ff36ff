// Declarations that the toolchain's Glibc module leaves out. A module map cannot set _GNU_SOURCE,
// so functions behind it are declared here by hand; macros become constants and inline functions.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct ucred_like {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int pipe2(int fds[2], int flags);
int dup3(int from, int to, int flags);
int memfd_create(const char *name, unsigned int flags);
long syscall(long number, ...);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

static inline int clinux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
static inline int clinux_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}
static inline int clinux_close_range(unsigned int first, unsigned int last) {
    return (int)syscall(SYS_close_range, first, last, 0);
}
static inline long clinux_getrandom(void *bytes, size_t count) { return syscall(SYS_getrandom, bytes, count, 0); }
static inline int clinux_set_parent_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }
static inline int clinux_set_dumpable(int dumpable) { return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0); }
// The options of mallopt(3) are macros.
static inline void clinux_keep_freed_memory(int bytes) {
    mallopt(M_MMAP_THRESHOLD, bytes);
    mallopt(M_TRIM_THRESHOLD, bytes);
}
// An address that nothing lies at is no error; it is a hint.
static inline void clinux_prefetch(uintptr_t address) { __builtin_prefetch((const void *)address); }
// fcntl is variadic, which Swift does not import.
static inline int clinux_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }
static inline int clinux_open(const char *path, int flags, unsigned int mode) { return open(path, flags, mode); }
// Bits of the processors this process may use, counted; sched_getaffinity(2).
static inline int clinux_usable_processors(void) {
    unsigned long mask[128] = {0};
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    int count = 0;
    for (long i = 0; i < bytes / (long)sizeof mask[0]; i++) count += __builtin_popcountl(mask[i]);
    return count;
}

// timerfd_create(2). Not its header, which would make this module the one that defines timespec.
static inline int clinux_timer(void) {
    return (int)syscall(SYS_timerfd_create, 1 /* CLOCK_MONOTONIC */, 02004000 /* TFD_CLOEXEC | TFD_NONBLOCK */);
}
// The interval, none, and the time, each in seconds and nanoseconds.
static inline int clinux_set_timer(int fd, int64_t nanoseconds) {
    long setting[4] = {0, 0, nanoseconds / 1000000000, nanoseconds % 1000000000};
    return (int)syscall(SYS_timerfd_settime, fd, 1 /* TFD_TIMER_ABSTIME */, setting, NULL);
}

// wait(2): the macros that take a status apart.
static inline int clinux_exited(int status) { return WIFEXITED(status); }
static inline int clinux_exit_status(int status) { return WEXITSTATUS(status); }
static inline int clinux_signaled(int status) { return WIFSIGNALED(status); }
static inline int clinux_term_signal(int status) { return WTERMSIG(status); }

#define CLINUX_F_ADD_SEALS 1033
#define CLINUX_SEAL_ALL 0x000F /* F_SEAL_SEAL | SHRINK | GROW | WRITE */
#define CLINUX_MFD_CLOEXEC 0x0001U
#define CLINUX_MFD_ALLOW_SEALING 0x0002U
#define CLINUX_POSIX_SPAWN_SETSIGDEF 0x04
#define CLINUX_POSIX_SPAWN_SETSIGMASK 0x08
#define CLINUX_SO_PEERCRED 17
#define CLINUX_O_CLOEXEC 02000000

static inline int clinux_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(epoll, operation, fd, &event);
}
// The same layout as epoll_event, with the number that we store and no pointer.
struct clinux_event {
    uint32_t ready;
    uint64_t token;
}
#ifdef __x86_64__
__attribute__((packed))
#endif
;
_Static_assert(sizeof(struct clinux_event) == sizeof(struct epoll_event), "layout of epoll_event");
static inline int clinux_epoll_wait(int epoll, struct clinux_event *events, int count, int milliseconds) {
    return epoll_wait(epoll, (struct epoll_event *)events, count, milliseconds);
}
#define CLINUX_EPOLLIN 0x001u
#define CLINUX_EPOLLOUT 0x004u
#define CLINUX_EPOLLERR 0x008u
#define CLINUX_EPOLLHUP 0x010u
#define CLINUX_EPOLLRDHUP 0x2000u
#define CLINUX_EPOLLEXCLUSIVE (1u << 28)
#define CLINUX_EPOLLET (1u << 31)

// The concurrency runtime's hook for jobs without an executor (swift/Runtime/Concurrency.h). Its type has Swift's
// calling convention, which only C can spell.
extern void *swift_task_enqueueGlobal_hook;
typedef void clinux_enqueue(void *job);
// Whom the hook calls; a variable of a function, because the importer emits no others.
static inline clinux_enqueue **clinux_global_jobs(void) {
    static clinux_enqueue *enqueue;
    return &enqueue;
}
__attribute__((swiftcall)) static void clinux_enqueue_global(void *job, void *original) {
    (void)original;
    (*clinux_global_jobs())(job);
}
static inline void clinux_take_global_jobs(clinux_enqueue *enqueue) {
    *clinux_global_jobs() = enqueue;
    swift_task_enqueueGlobal_hook = (void *)clinux_enqueue_global;
}

// For the calling thread alone: its nice value, and how long it would like to have a processor at a stretch, in
// nanoseconds, of which kernels before 6.12 take no notice; sched_setattr(2).
static inline int clinux_set_share(int nice, uint64_t slice) {
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = 48, .policy = SCHED_OTHER, .nice = nice, .runtime = slice};
    return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

static inline void clinux_set_name(const char *name) {
    prctl(PR_SET_NAME, name);
}

/// What to become, should this process crash; execveat(2).
struct clinux_way_back {
    int executable;
    char **arguments;
    char **environment;
};

// A variable of a function, because the importer emits no others.
static inline struct clinux_way_back *clinux_way_back(void) {
    static struct clinux_way_back way;
    return &way;
}

// Safe in a handler (signal-safety(7)): one system call, on memory that was written long before.
static inline void clinux_go_back(int number) {
    (void)number;
    struct clinux_way_back *way = clinux_way_back();
    syscall(SYS_execveat, way->executable, "", way->arguments, way->environment, 0x1000 /* AT_EMPTY_PATH */);
    _exit(70);
}

/// On a signal that means a mistake of ours, becomes the image behind `executable` again, or no longer does, for -1.
static inline void clinux_take_crashes(int executable, char **arguments, char **environment) {
    *clinux_way_back() = (struct clinux_way_back){executable, arguments, environment};
    struct sigaction action = {.sa_handler = executable >= 0 ? clinux_go_back : SIG_DFL};
    int numbers[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
    for (unsigned index = 0; index < sizeof numbers / sizeof numbers[0]; index++)
        sigaction(numbers[index], &action, 0);
}

/// Becomes the image behind a descriptor; only returns when that failed.
static inline void clinux_exec_descriptor(int executable, char **arguments, char **environment) {
    syscall(SYS_execveat, executable, "", arguments, environment, 0x1000 /* AT_EMPTY_PATH */);
}

/// Has a listening TCP socket leave new connections unanswered, while those under way are still completed; socket(7)
/// SO_ATTACH_FILTER. The filter sees TCP headers: byte 13 holds the flags, 0x02 is SYN and 0x10 ACK.
static inline int clinux_ignore_new_connections(int listener) {
    struct sock_filter code[] = {
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, 13},
        {BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x12},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x02},
        {BPF_RET | BPF_K, 0, 0, 0},
        {BPF_RET | BPF_K, 0, 0, 0xFFFFFFFF},
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/// Connections of a listening TCP socket that nobody has accepted yet; tcp(7) TCP_INFO. -1 when unknown.
static inline int clinux_queue_length(int listener) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return -1;
    return (int)info.tcpi_unacked;
}
