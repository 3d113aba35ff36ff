// What a process of a gateway never does by itself, done to it from within: loaded with LD_PRELOAD by tests that need a
// worker which cannot boot, ends unasked, crashes or is busy, or a new binary which fails.
//
// TAGWAY_FAULT=boot          a worker says why and exits with 70 before it has begun
// TAGWAY_FAULT=dies:SLOT:MS  the worker of that slot is killed that long after its start
// Signals to a worker: SIGRTMIN exits with 0; SIGRTMIN+1 executes an invalid instruction; SIGRTMIN+2 starts 20 threads
// of TAGWAY_FAULT_BUSY_MS milliseconds of work each; SIGRTMIN+3 takes 1 GiB of memory.
// A binary whose name has `bad-preflight` exits at once when it is tried, `bad-hang` says nothing then, `bad-serve`
// crashes after it has become the supervisor and before one of its workers serves, `bad-worker` crashes in its workers.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long milliseconds;

static void *die(void *unused) {
    usleep(milliseconds * 1000);
    kill(getpid(), SIGKILL);
    return unused;
}

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void *work(void *unused) {
    double end = now(CLOCK_THREAD_CPUTIME_ID) + milliseconds / 1000.0;
    while (now(CLOCK_THREAD_CPUTIME_ID) < end) {}
    return unused;
}

static void begin(void *(*body)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, NULL) == 0) pthread_detach(thread);
}

static void leave(int signal) {
    (void)signal;
    _exit(0);
}

static void crash(int signal) {
    (void)signal;
    __builtin_trap();
}

static void toil(int signal) {
    (void)signal;
    for (int i = 0; i < 20; i++) begin(work);
}

static void swell(int signal) {
    (void)signal;
    for (int i = 0; i < 1024; i++) {
        char *piece = malloc(1 << 20);
        if (piece) memset(piece, 1, 1 << 20);
    }
}

// On the first thread: when another one ends that has started children, they are told that their parent died.
static void crash_soon(void) {
    signal(SIGRTMIN, crash);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    struct itimerspec soon = {.it_value = {0, 100 * 1000 * 1000}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) timer_settime(timer, 0, &soon, NULL);
}

static void load_into_worker(int count, char **words) {
    signal(SIGRTMIN, leave);
    signal(SIGRTMIN + 1, crash);
    signal(SIGRTMIN + 2, toil);
    signal(SIGRTMIN + 3, swell);
    const char *busy = getenv("TAGWAY_FAULT_BUSY_MS");
    if (busy) milliseconds = atol(busy);
    const char *fault = getenv("TAGWAY_FAULT");
    if (!fault) return;
    if (strcmp(fault, "boot") == 0) {
        static const char reason[] = "cannot read /nowhere/for-workers-only\n";
        if (write(2, reason, sizeof reason - 1) < 0) _exit(71);
        _exit(70);
    }
    int slot, mine = -1;
    for (int i = 2; i + 1 < count; i++)
        if (strcmp(words[i], "--slot") == 0) mine = atoi(words[i + 1]);
    if (sscanf(fault, "dies:%d:%ld", &slot, &milliseconds) == 2 && slot == mine) begin(die);
}

__attribute__((constructor)) static void load(int count, char **words) {
    if (count < 2) return;
    char image[4096];
    long length = readlink("/proc/self/exe", image, sizeof image - 1);
    image[length < 0 ? 0 : length] = 0;
    int isWorker = strcmp(words[1], "worker") == 0, isTried = strcmp(words[1], "check") == 0;
    if (isWorker && strstr(image, "bad-worker")) __builtin_trap();
    if (isTried && strstr(image, "bad-preflight")) _exit(1);
    if (isTried && strstr(image, "bad-hang")) sleep(100);
    if (strcmp(words[1], "serve") == 0 && strstr(image, "bad-serve")) crash_soon();
    if (isWorker && strstr(image, "bad-serve")) sleep(1);
    if (isWorker) load_into_worker(count, words);
}
