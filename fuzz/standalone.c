/*
 * Runs a fuzz target without a fuzzer: every file given, and every file of every folder given,
 * goes through LLVMFuzzerTestOneInput once, and so does the empty input; then come MUTANTS
 * changed copies of each, the same ones in every run. For compilers without libFuzzer, and to run
 * the corpora as tests. FUZZ_SEED gives other mutants.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MUTANTS = 400, GROWTH = 64 };

static unsigned long inputs;
static uint64_t state = 1; /* of the mutants' randomness */

/* Run one input. It is copied to its exact size, so that a sanitizer sees a read past its end. */
static void run_bytes(const uint8_t *data, size_t size)
{
    uint8_t *copy = calloc(size > 0 ? size : 1, 1);
    if (copy == NULL) {
        abort();
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

static uint64_t below(uint64_t bound)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % bound;
}

/* Change one thing: a bit, a byte, a run of bytes copied, cut out or doubled. */
static size_t mutate(uint8_t *data, size_t size, size_t room)
{
    static const uint8_t telling[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '\\', '{', '}', '[', ']', ',',
        ':', '$', '(', ')', '*', '-', '.', '0', '9', 'e', '\n', ' ' };
    if (size == 0) {
        data[0] = telling[below(sizeof telling)];
        return 1;
    }
    size_t at = below(size);
    size_t run = 1 + below(size - at < GROWTH ? size - at : GROWTH);
    switch (below(6)) {
    case 0:
        data[at] ^= (uint8_t)(1u << below(8));
        return size;
    case 1:
        data[at] = telling[below(sizeof telling)];
        return size;
    case 2:
        memmove(data + at, data + at + run, size - at - run);
        return size - run;
    case 3:
        memmove(data + at, data + below(size - run + 1), run);
        return size;
    case 4:
        return at; /* cut off the end */
    default:
        if (size + run > room) {
            return size;
        }
        memmove(data + at + run, data + at, size - at);
        return size + run;
    }
}

static void run_mutants(const uint8_t *data, size_t size)
{
    size_t room = size + (size_t)8 * GROWTH;
    uint8_t *mutant = malloc(room);
    if (mutant == NULL) {
        abort();
    }
    for (int i = 0; i < MUTANTS; i++) {
        if (size > 0) {
            memcpy(mutant, data, size);
        }
        size_t n = size;
        for (uint64_t changes = 1 + below(6); changes > 0; changes--) {
            n = mutate(mutant, n, room);
        }
        run_bytes(mutant, n);
    }
    free(mutant);
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = 0;
    size_t room = 4096;
    uint8_t *data = malloc(room);
    while (data != NULL) {
        size += fread(data + size, 1, room - size, file);
        if (size < room) {
            break;
        }
        room *= 2;
        data = realloc(data, room);
    }
    (void)fclose(file);
    if (data == NULL) {
        abort();
    }
    run_bytes(data, size);
    run_mutants(data, size);
    free(data);
    return 0;
}

static int run_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        return 1;
    }
    int failed = 0;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char name[4096];
        if ((size_t)snprintf(name, sizeof name, "%s/%s", path, entry->d_name) >= sizeof name) {
            (void)fprintf(stderr, "%s: path too long\n", entry->d_name);
            failed = 1;
            continue;
        }
        failed |= run_file(name);
    }
    (void)closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    const char *seed = getenv("FUZZ_SEED");
    state = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    run_bytes(NULL, 0);
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) != 0) {
            perror(argv[i]); /* a target need not have seeds */
            continue;
        }
        failed |= S_ISDIR(info.st_mode) ? run_folder(argv[i]) : run_file(argv[i]);
    }
    (void)printf("%lu inputs\n", inputs);
    return failed;
}
