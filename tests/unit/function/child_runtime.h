/*
 * A runtime for the tests of functions: what the program is when it is started as a function's
 * command ("child MODE"). It speaks the Runtime API over a socket of its own, so that it can also
 * say what no runtime would.
 */
#ifndef WEIR_TESTS_UNIT_FUNCTION_CHILD_RUNTIME_H
#define WEIR_TESTS_UNIT_FUNCTION_CHILD_RUNTIME_H

/* Be a runtime of a mode: see child_runtime.c. Returns the exit code. */
int child_runtime(const char *mode);

#endif
