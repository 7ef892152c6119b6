/* A team of threads that do the parts of a job at once. After a job they wait for the next one awake for a
   tenth of a millisecond, then asleep: a loop over time has many jobs, with a few microseconds between them. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#if defined(__x86_64__) || defined(__i386__)
#define PAUSE __builtin_ia32_pause()
#else
#define PAUSE __asm__ volatile("" ::: "memory")
#endif
#define AWAKE 4000 /* pauses */

typedef void task(long first, long last, long *args);
static struct { task *run; long *args; const long *ends; long parts; } job;
static atomic_long jobs, busy; /* how many there were, and how many members still work on the last one */
static long members, hired_at; /* how many there are, and how many jobs there were before the latest came */
static pthread_mutex_t team = PTHREAD_MUTEX_INITIALIZER, door = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell = PTHREAD_COND_INITIALIZER;

static void part(long k) {
  if (k < job.parts) job.run(job.ends[k], job.ends[k + 1], job.args);
}
static void *member(void *number) {
  for (long known = hired_at;; known++) {
    for (long i = 0; i < AWAKE && jobs == known; i++) PAUSE;
    pthread_mutex_lock(&door);
    while (jobs == known) pthread_cond_wait(&bell, &door);
    pthread_mutex_unlock(&door);
    part((long)number);
    busy--;
  }
  return 0;
}
static void alone(void) { /* in a forked child nobody else is there */
  pthread_mutex_t open = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t silent = PTHREAD_COND_INITIALIZER;
  team = door = open, bell = silent, members = 0;
}
static int hire(long wanted) {
  static int watching;
  if (!watching) watching = !pthread_atfork(0, 0, alone);
  hired_at = jobs;
  for (pthread_t thread; members < wanted; members++) {
    if (pthread_create(&thread, 0, member, (void *)(members + 1))) return 0;
    pthread_detach(thread);
  }
  return 1;
}
/* run(ends[k], ends[k + 1], args) for every k < parts. Who finds the team at work does all alone. */
void run_parallel(long parts, task *run, const long *ends, long *args) {
  if (parts < 2 || pthread_mutex_trylock(&team)) {
    run(ends[0], ends[parts], args);
    return;
  }
  if (hire(parts - 1)) {
    pthread_mutex_lock(&door);
    job.run = run, job.args = args, job.ends = ends, job.parts = parts;
    busy = members;
    jobs++;
    pthread_cond_broadcast(&bell);
    pthread_mutex_unlock(&door);
    part(0);
    for (long i = 0; busy; i++)
      if (i < AWAKE) PAUSE;
      else sched_yield();
  } else run(ends[0], ends[parts], args);
  pthread_mutex_unlock(&team);
}
