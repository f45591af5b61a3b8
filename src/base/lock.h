/*
 * Mutexes with an order, and condition variables.
 *
 * A thread takes mutexes only in growing class order; builds without NDEBUG
 * check it at each lock and stop on a violation, so a deadlock that could
 * happen is found the first time its order occurs.
 */
#ifndef WEIR_BASE_LOCK_H
#define WEIR_BASE_LOCK_H

#include <pthread.h>
#include <stdint.h>

/* In the order in which one thread may take them. */
enum weir_lock_class {
    WEIR_LOCK_COMMIT = 20,       /* store/: the commit queue */
    WEIR_LOCK_COMMIT_STATE = 21, /* store/: whether commits fail */
    WEIR_LOCK_FOLLOW = 22,       /* store/: watches and holds */
    WEIR_LOCK_QUEUES = 23,       /* queue/: what queues tell their thread */
    WEIR_LOCK_CATALOGUE = 24,    /* store/: definitions of one kind in memory */
    WEIR_LOCK_LETTERS = 25,      /* pipeline/: lines that are to be written */
    WEIR_LOCK_OUTBOX = 26,       /* outbox/: the lanes that got intents */
    WEIR_LOCK_WAIT = 27,         /* store/: someone who waits for a commit */
    WEIR_LOCK_TIMERS = 28,       /* timer/: the earliest timers that were set */
    WEIR_LOCK_DROPPED = 29,      /* table/: tables that were dropped */
    WEIR_LOCK_LOG = 30,          /* log/: segments and the tail in memory */
    WEIR_LOCK_LOOP = 40,         /* net/: work posted to a loop */
    WEIR_LOCK_METRICS = 50,      /* base/: the list of metrics */
    WEIR_LOCK_FILE_MEMORY = 60,  /* base/: files in memory */
};

struct weir_mutex {
    pthread_mutex_t mutex;
    enum weir_lock_class order;
};

struct weir_condition {
    pthread_cond_t condition; /* on the monotonic clock */
};

void weir_mutex_init(struct weir_mutex *mutex, enum weir_lock_class order);
void weir_mutex_fini(struct weir_mutex *mutex);
void weir_mutex_lock(struct weir_mutex *mutex);
void weir_mutex_unlock(struct weir_mutex *mutex);

void weir_condition_init(struct weir_condition *condition);
void weir_condition_fini(struct weir_condition *condition);

/* Wait until signalled; may wake without cause. The mutex is held before and after. */
void weir_condition_wait(struct weir_condition *condition, struct weir_mutex *mutex);

/* As weir_condition_wait, for at most so many milliseconds. */
void weir_condition_wait_for(
        struct weir_condition *condition, struct weir_mutex *mutex, uint32_t timeout_ms);

/* Wake one waiter. */
void weir_condition_signal(struct weir_condition *condition);

/* Wake all waiters. */
void weir_condition_broadcast(struct weir_condition *condition);

#endif
