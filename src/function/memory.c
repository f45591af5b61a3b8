/*
 * How much memory a process and its descendants use, from /proc.
 *
 * Counted is what is resident and not shared with a file: the code of an interpreter, which all of
 * its instances share, is nobody's. These files are made by the kernel on the spot; reading them
 * takes some microseconds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "function/function_int.h"

enum { TEXT_BYTES = 4096, PROCESSES_MAX = 256 };

/* A small file of /proc as a zero-terminated text; empty without it. */
static void read_text(const char *path, char text[static TEXT_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, TEXT_BYTES - 1) : -1;
    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

static uint64_t own_memory(int pid, uint64_t page_bytes)
{
    char path[64];
    char text[TEXT_BYTES];
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    read_text(path, text);
    char *at = text;
    strtoull(at, &at, 10); /* what it has mapped */
    uint64_t resident = strtoull(at, &at, 10);
    uint64_t shared = strtoull(at, &at, 10);
    return resident > shared ? (resident - shared) * page_bytes : 0;
}

uint64_t weir_memory_of(int pid)
{
    int pids[PROCESSES_MAX] = { pid };
    size_t count = 1;
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        char path[64];
        char text[TEXT_BYTES];
        bytes += i > 0 ? own_memory(pids[i], page_bytes) : 0; /* the wrapper itself is weir's */
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pids[i], pids[i]);
        read_text(path, text);
        for (char *at = text, *end = at; count < PROCESSES_MAX; at = end) {
            long child = strtol(at, &end, 10);
            if (end == at) {
                break;
            }
            pids[count++] = (int)child;
        }
    }
    return bytes;
}
