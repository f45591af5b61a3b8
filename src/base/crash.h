/*
 * Crash points: named places at which a test lets the process die, as if it had been killed
 * there; and fault points, at which a test lets what comes next fail. Release builds (NDEBUG)
 * contain none.
 *
 *     WEIR_CRASH_AT=log.written:2 weir serve
 *
 * ends the process when it comes to the point log.written for the second time: at once, no buffer
 * written, nothing closed, with WEIR_CRASH_STATUS. A point stands where something is half done:
 * between two steps that only together are what a client was promised. The scenario test of
 * crash points finds all of them in the sources and dies at each.
 */
#ifndef WEIR_BASE_CRASH_H
#define WEIR_BASE_CRASH_H

#include <stdbool.h>

enum { WEIR_CRASH_STATUS = 86 };

#ifdef NDEBUG
#    define weir_crash_point(name) ((void)0)
#    define weir_fault_point(name) (false)
#else
#    define weir_crash_point(name) weir_crash_here(name)
#    define weir_fault_point(name) weir_fault_here(name)

/*
 * Die if WEIR_CRASH_AT names this point and it is reached for the nth time. WEIR_CRASH_AT is read
 * once; one that is no NAME:N stops the process. Use weir_crash_point. Threads: any.
 */
void weir_crash_here(const char *name);

/*
 * Let a fault point (borrowed name) fail from its nth pass from now on, `times` times; nth 0:
 * never. Not while another thread may pass one.
 */
void weir_fault_at(const char *name, unsigned long nth, unsigned long times);

/* Whether this pass is to fail. Use weir_fault_point. Threads: any. */
bool weir_fault_here(const char *name);

/* How often the point named last was passed since. */
unsigned long weir_fault_passes(void);
#endif

#endif
