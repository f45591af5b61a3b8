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
#endif
