#include "base/crash.h"

#ifndef NDEBUG
#    include <pthread.h>
#    include <stdatomic.h>
#    include <stdlib.h>
#    include <string.h>

#    include "base/err.h"

/* What WEIR_CRASH_AT asks for; written once. */
static const char *wanted; /* NULL: nothing */
static size_t wanted_bytes;
static unsigned long wanted_pass;
static pthread_once_t wanted_once = PTHREAD_ONCE_INIT;

static atomic_ulong passes; /* of the wanted point */

/* What weir_fault_at asks for. */
static const char *failing = "";
static unsigned long fail_from; /* 0: never */
static unsigned long fail_times;
static atomic_ulong fail_passes;

static void read_wanted(void)
{
    const char *text = getenv("WEIR_CRASH_AT");
    if (text == NULL) {
        return;
    }
    const char *colon = strchr(text, ':');
    weir_assert(colon != NULL);
    wanted_bytes = (size_t)(colon - text);
    wanted_pass = strtoul(colon + 1, NULL, 10);
    weir_assert(wanted_pass > 0);
    wanted = text;
}

void weir_crash_here(const char *name)
{
    (void)pthread_once(&wanted_once, read_wanted);
    if (wanted != NULL && strlen(name) == wanted_bytes &&
            strncmp(name, wanted, wanted_bytes) == 0 &&
            atomic_fetch_add(&passes, 1) + 1 == wanted_pass) {
        _Exit(WEIR_CRASH_STATUS);
    }
}

void weir_fault_at(const char *name, unsigned long nth, unsigned long times)
{
    failing = name;
    fail_from = nth;
    fail_times = times;
    atomic_store(&fail_passes, 0);
}

bool weir_fault_here(const char *name)
{
    if (strcmp(name, failing) != 0) {
        return false;
    }
    unsigned long pass = atomic_fetch_add(&fail_passes, 1) + 1;
    return fail_from > 0 && pass >= fail_from && pass - fail_from < fail_times;
}

unsigned long weir_fault_passes(void)
{
    return atomic_load(&fail_passes);
}
#endif
