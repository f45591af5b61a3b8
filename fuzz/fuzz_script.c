/* Test files of `weir test`: what is accepted has tests, what is refused was complained about. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "scenario/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses up to a few KiB on some faulty texts; our own leaks still count. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so";
}

/* The path of a file in memory that holds the text. */
static void put_into_file(const uint8_t *data, size_t size, char *path, size_t path_size)
{
    static int file = -1;
    if (file < 0) {
        file = memfd_create("test.yaml", MFD_CLOEXEC);
    }
    weir_assert(file >= 0 && ftruncate(file, 0) == 0);
    weir_assert(pwrite(file, data, size, 0) == (ssize_t)size);
    snprintf(path, path_size, "/proc/self/fd/%d", file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    WEIR_AUTO(weir_script) struct weir_script *script = NULL;
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    if (size > 64 << 10 || memmem(data, size, "/dev", 4) != NULL ||
            memmem(data, size, "/proc", 5) != NULL) {
        return 0; /* a file of a terminal would wait for somebody to type */
    }
    put_into_file(data, size, path, sizeof(path));
    weir_diagnostics_init(&diagnostics, path);
    enum weir_rc rc = weir_script_load(path, &diagnostics, &script, &err);
    weir_assert((rc == WEIR_OK) == (script != NULL));
    weir_assert(rc != WEIR_OK || diagnostics.errors == 0);
    weir_assert(rc != WEIR_E_INVALID || diagnostics.errors > 0);
    for (size_t i = 0; script != NULL && i < weir_script_count(script); i++) {
        weir_assert(weir_script_name(script, i).p != NULL);
    }
    weir_diagnostics_fini(&diagnostics);
    return 0;
}
