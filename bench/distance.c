/* distance CORE CORE: how many nanoseconds a cache line takes from one processor to the other and back.
 *
 * Where it is many, the two share no cache: so much more does each packet cost that one hands to the other. A virtual machine's
 * processors may change their places from one second to the next. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TURNS = 100000 };
static _Alignas(128) atomic_int ball;

static void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set)) {
        perror("sched_setaffinity");
        exit(1);
    }
}

/* Waits for the ball and plays it back, again and again. */
static void play(int mine, int theirs) {
    for (int turn = 0; turn < TURNS; turn++) {
        while (atomic_load_explicit(&ball, memory_order_acquire) != mine) {}
        atomic_store_explicit(&ball, theirs, memory_order_release);
    }
}

static void *other(void *core) {
    pin(*(int *)core);
    play(1, 0);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: distance CORE CORE\n");
        return 2;
    }
    int far = atoi(arguments[2]);
    pthread_t thread;
    struct timespec begin, end;
    pin(atoi(arguments[1]));
    if (pthread_create(&thread, NULL, other, &far)) return 1;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    play(0, 1);
    pthread_join(thread, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.0f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / TURNS);
    return 0;
}
