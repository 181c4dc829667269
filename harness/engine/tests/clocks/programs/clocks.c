/* For every line read: what all clocks say, from the first thread, from a thread that was there
   from the start, from a forked child and from another program. Seconds with nine decimals. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static sem_t asked, answered;
static struct timespec seen;

static void *thread(void *arg) {
    for (;;) {
        sem_wait(&asked);
        clock_gettime(CLOCK_REALTIME, &seen);
        sem_post(&answered);
    }
    return arg;
}

static void print(const char *name, struct timespec t) {
    printf("%s=%lld.%09ld ", name, (long long)t.tv_sec, t.tv_nsec);
}

static void clock_of(const char *name, clockid_t id) {
    struct timespec t = {0, 0};
    if (clock_gettime(id, &t) == 0) print(name, t);
}

int main(void) {
    pthread_t id;
    char line[64];
    sem_init(&asked, 0, 0);
    sem_init(&answered, 0, 0);
    pthread_create(&id, 0, thread, 0);
    while (fgets(line, sizeof line, stdin)) {
        struct timeval tv;
        struct timezone tz;
        struct timespec t;
        clock_of("realtime", CLOCK_REALTIME);
        clock_of("coarse", CLOCK_REALTIME_COARSE);
        clock_of("mono", CLOCK_MONOTONIC);
        clock_of("raw", CLOCK_MONOTONIC_RAW);
        clock_of("mono-coarse", CLOCK_MONOTONIC_COARSE);
        clock_of("boot", CLOCK_BOOTTIME);
        gettimeofday(&tv, &tz);
        t.tv_sec = tv.tv_sec, t.tv_nsec = tv.tv_usec * 1000;
        print("gettimeofday", t);
        t.tv_sec = time(0), t.tv_nsec = 0;
        print("time", t);
        timespec_get(&t, TIME_UTC);
        print("timespec_get", t);
        sem_post(&asked);
        sem_wait(&answered);
        print("thread", seen);
        fflush(stdout);
        if (fork() == 0) {
            clock_of("forked", CLOCK_REALTIME);
            fflush(stdout);
            execlp("date", "date", "+exec=%s.%N ", (char *)0);
            _exit(1);
        }
        wait(0);
    }
    return 0;
}
