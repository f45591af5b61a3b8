/* What every unit test includes: cmocka with the headers it wants first. */
#ifndef WEIR_TESTS_UNIT_TEST_H
#define WEIR_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Last, for it uses what the others define. */
#include <cmocka.h>

/* What a test says is there even when the program is killed in the next moment. */
__attribute__((constructor)) static void say_at_once(void)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

#endif
