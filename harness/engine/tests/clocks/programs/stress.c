/* Threads and a signal handler read clocks as fast as they can until the input ends. Counts what
   must never be seen: a time that is no time, one further off than the first argument says (in
   seconds), and a monotonic clock that goes back, for one thread or from one thread to another. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4 };
static atomic_long calls, malformed, far_off, back;
static _Atomic long long highest;
static atomic_int stop;
static long long most;

static long long ns(struct timespec t) { return t.tv_sec * 1000000000LL + t.tv_nsec; }

static void look(int id, struct timespec *t) {
    t->tv_sec = -1, t->tv_nsec = -1;
    clock_gettime(id, t);
    if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec > 999999999) malformed++;
}

static void wall(void) {
    struct timespec t, before, after;
    struct timeval tv = {-1, -1};
    /* The machine's own clock, past the vDSO. */
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &before);
    look(CLOCK_REALTIME, &t);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &after);
    if (ns(t) < ns(before) - most || ns(t) > ns(after) + most) far_off++;
    gettimeofday(&tv, 0);
    if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec > 999999) malformed++;
}

static void on_signal(int number) {
    (void)number;
    wall();
}

static void *thread(void *arg) {
    long long last = 0, others;
    while (!stop) {
        struct timespec t;
        others = highest;
        look(CLOCK_MONOTONIC, &t);
        if (ns(t) < last || ns(t) < others) back++;
        last = ns(t);
        while (others < last && !atomic_compare_exchange_weak(&highest, &others, last)) {}
        wall();
        calls++;
    }
    return arg;
}

int main(int argc, char **argv) {
    pthread_t ids[THREADS];
    struct itimerval often = {{0, 1000}, {0, 1000}};
    char byte;
    most = argc > 1 ? atoll(argv[1]) * 1000000000LL : 0;
    signal(SIGPROF, on_signal);
    for (int i = 0; i < THREADS; i++) pthread_create(&ids[i], 0, thread, 0);
    setitimer(ITIMER_PROF, &often, 0);
    while (read(0, &byte, 1) != 0) {}
    stop = 1;
    for (int i = 0; i < THREADS; i++) pthread_join(ids[i], 0);
    printf("calls=%ld malformed=%ld far=%ld back=%ld\n", calls, malformed, far_off, back);
    return 0;
}
