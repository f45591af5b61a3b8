#include "base/lock.h"

#include <errno.h>
#include <time.h>

#include "base/err.h"

#ifndef NDEBUG
enum { HELD_MAX = 16 };
static _Thread_local enum weir_lock_class held[HELD_MAX];
static _Thread_local int held_count;

static void note_lock(enum weir_lock_class order)
{
    weir_assert(held_count < HELD_MAX);
    weir_assert(held_count == 0 || held[held_count - 1] < order);
    held[held_count++] = order;
}

static void note_unlock(enum weir_lock_class order)
{
    weir_assert(held_count > 0 && held[held_count - 1] == order);
    held_count--;
}
#else
static void note_lock(enum weir_lock_class order)
{
    (void)order;
}

static void note_unlock(enum weir_lock_class order)
{
    (void)order;
}
#endif

void weir_mutex_init(struct weir_mutex *mutex, enum weir_lock_class order)
{
    weir_assert(pthread_mutex_init(&mutex->mutex, NULL) == 0);
    mutex->order = order;
}

void weir_mutex_fini(struct weir_mutex *mutex)
{
    weir_assert(pthread_mutex_destroy(&mutex->mutex) == 0);
}

void weir_mutex_lock(struct weir_mutex *mutex)
{
    note_lock(mutex->order);
    weir_assert(pthread_mutex_lock(&mutex->mutex) == 0);
}

void weir_mutex_unlock(struct weir_mutex *mutex)
{
    note_unlock(mutex->order); /* first: whoever waited may free the mutex once it is open */
    weir_assert(pthread_mutex_unlock(&mutex->mutex) == 0);
}

void weir_condition_init(struct weir_condition *condition)
{
    pthread_condattr_t attr;
    weir_assert(pthread_condattr_init(&attr) == 0);
    weir_assert(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    weir_assert(pthread_cond_init(&condition->condition, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

void weir_condition_fini(struct weir_condition *condition)
{
    weir_assert(pthread_cond_destroy(&condition->condition) == 0);
}

void weir_condition_wait(struct weir_condition *condition, struct weir_mutex *mutex)
{
    weir_assert(pthread_cond_wait(&condition->condition, &mutex->mutex) == 0);
}

void weir_condition_wait_for(
        struct weir_condition *condition, struct weir_mutex *mutex, uint32_t timeout_ms)
{
    struct timespec until;
    weir_assert(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int error_number = pthread_cond_timedwait(&condition->condition, &mutex->mutex, &until);
    weir_assert(error_number == 0 || error_number == ETIMEDOUT);
}

void weir_condition_signal(struct weir_condition *condition)
{
    pthread_cond_signal(&condition->condition);
}

void weir_condition_broadcast(struct weir_condition *condition)
{
    pthread_cond_broadcast(&condition->condition);
}
