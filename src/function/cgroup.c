/*
 * Memory limits that the kernel keeps: cgroup v2, where weir has a group of its own.
 *
 *     OWN              the group that weir was started in
 *     OWN/weir         weir itself, since processes may only be in leaves
 *     OWN/instance-N   an instance that has a limit
 *
 * Having one means: it may be written, has the memory controller, and nobody else is in it. So a
 * service with Delegate=yes has one, and a shell has not. Nobody else's processes are ever moved.
 * Source: the kernel's Documentation/admin-guide/cgroup-v2.rst.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "function/function_int.h"

enum { TEXT_BYTES = 4096 };

#define INSTANCE "instance-"

/* --- small files ----------------------------------------------------------------------- */

/* Read a file as a zero-terminated text. False: it cannot be read, or is longer. */
static bool read_text(const char *folder, const char *name, char text[static TEXT_BYTES])
{
    char path[WEIR_CGROUP_PATH];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = n < WEIR_CGROUP_PATH ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd >= 0 ? read(fd, text, TEXT_BYTES) : -1;
    if (fd >= 0) {
        close(fd);
    }
    bool whole = got >= 0 && got < TEXT_BYTES;
    text[whole ? got : 0] = '\0';
    return whole;
}

/* 0, or an error number. */
static int write_text(const char *folder, const char *name, const char *text)
{
    char path[WEIR_CGROUP_PATH];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = n < WEIR_CGROUP_PATH ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    int error_number = 0;
    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        error_number = n < WEIR_CGROUP_PATH ? errno : ENAMETOOLONG;
    }
    if (fd >= 0) {
        close(fd);
    }
    return error_number;
}

static bool is_writable(const char *folder, const char *name)
{
    char path[WEIR_CGROUP_PATH];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    return n < WEIR_CGROUP_PATH && access(path, W_OK) == 0;
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + n, word)) {
        bool begins = at == text || at[-1] == ' ';
        if (begins && (at[n] == ' ' || at[n] == '\n' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

/* --- finding and taking ------------------------------------------------------------------- */

/* The group of this process, from the line "0::PATH". */
static enum weir_rc find_own(
        const char *root, char folder[static WEIR_CGROUP_PATH], struct weir_err *err)
{
    char text[TEXT_BYTES];
    char proc[WEIR_CGROUP_PATH];
    snprintf(proc, sizeof(proc), "%s/proc/self", root);
    (void)read_text(proc, "cgroup", text); /* what cannot be read has no such line */
    const char *line = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
    if (line == NULL) {
        return weir_fail(err, WEIR_E_UNSUPPORTED, "there is no cgroup v2");
    }
    const char *path = strchr(line, '/');
    size_t path_n = strcspn(path, "\n");
    path_n = path_n == 1 ? 0 : path_n;
    int n = snprintf(folder, WEIR_CGROUP_PATH, "%s/sys/fs/cgroup%.*s", root, (int)path_n, path);
    return n < WEIR_CGROUP_PATH
                   ? WEIR_OK
                   : weir_fail(err, WEIR_E_UNSUPPORTED, "the cgroup's path is too long");
}

enum weir_rc weir_cgroup_find(
        const char *root, char ret_folder[static WEIR_CGROUP_PATH], struct weir_err *err)
{
    char folder[WEIR_CGROUP_PATH];
    char text[TEXT_BYTES];
    enum weir_rc rc = find_own(root, folder, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (!read_text(folder, "cgroup.controllers", text) || !has_word(text, "memory")) {
        return weir_fail(err, WEIR_E_UNSUPPORTED, "%s has no memory controller", folder);
    }
    if (!is_writable(folder, "") || !is_writable(folder, "cgroup.procs") ||
            !is_writable(folder, "cgroup.subtree_control")) {
        return weir_fail(err, WEIR_E_UNSUPPORTED, "%s may not be written", folder);
    }
    char *end = text;
    if (!read_text(folder, "cgroup.procs", text) || strtol(text, &end, 10) != getpid() ||
            (*end != '\0' && strcmp(end, "\n") != 0)) {
        return weir_fail(err, WEIR_E_UNSUPPORTED, "weir is not alone in %s", folder);
    }
    memcpy(ret_folder, folder, sizeof(folder));
    return WEIR_OK;
}

enum weir_rc weir_function_memory_check(struct weir_err *err)
{
    char folder[WEIR_CGROUP_PATH];
    return weir_cgroup_find("", folder, err);
}

/* Remove what a weir that was killed has left. */
static void remove_leftovers(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry = dir != NULL ? readdir(dir) : NULL;
    for (; entry != NULL; entry = readdir(dir)) {
        char path[WEIR_CGROUP_PATH];
        int n = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (strncmp(entry->d_name, INSTANCE, strlen(INSTANCE)) == 0 && n < WEIR_CGROUP_PATH) {
            (void)rmdir(path); /* one that is in use after all has another number than ours */
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

enum weir_rc weir_cgroup_take(const char *folder, struct weir_err *err)
{
    char leaf[WEIR_CGROUP_PATH];
    char pid[32];
    int n = snprintf(leaf, sizeof(leaf), "%s/weir", folder);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (n >= WEIR_CGROUP_PATH || (mkdir(leaf, 0755) != 0 && errno != EEXIST)) {
        return weir_fail(err, WEIR_E_UNSUPPORTED, "cannot make %s/weir", folder);
    }
    int error_number = write_text(leaf, "cgroup.procs", pid);
    if (error_number == 0) {
        error_number = write_text(folder, "cgroup.subtree_control", "+memory");
    }
    if (error_number != 0) {
        (void)write_text(folder, "cgroup.procs", pid); /* where it may be already */
        (void)rmdir(leaf);
        errno = error_number;
        return weir_fail(err, WEIR_E_UNSUPPORTED, "cannot divide %s: %m", folder);
    }
    remove_leftovers(folder);
    return WEIR_OK;
}

/* --- instances ---------------------------------------------------------------------------- */

enum weir_rc weir_cgroup_create(
        const char *folder, uint64_t number, uint64_t bytes, char **ret_group, struct weir_err *err)
{
    char group[WEIR_CGROUP_PATH];
    char limit[32];
    int n = snprintf(
            group, sizeof(group), "%s/" INSTANCE "%llu", folder, (unsigned long long)number);
    snprintf(limit, sizeof(limit), "%llu", (unsigned long long)bytes);
    int error_number = 0;
    if (n >= WEIR_CGROUP_PATH || (mkdir(group, 0755) != 0 && errno != EEXIST)) {
        error_number = n < WEIR_CGROUP_PATH ? errno : ENAMETOOLONG;
    }
    if (error_number == 0) {
        error_number = write_text(group, "memory.max", limit);
    }
    if (error_number == 0) {
        error_number = write_text(group, "memory.swap.max", "0");
        error_number = error_number == ENOENT ? 0 : error_number; /* a kernel without swap */
    }
    if (error_number == 0) {
        error_number = write_text(group, "memory.oom.group", "1");
    }
    if (error_number != 0) {
        (void)rmdir(group);
        errno = error_number;
        return weir_fail(err, WEIR_E_IO, "cannot limit memory in %s: %m", group);
    }
    *ret_group = weir_strndup(group, (size_t)n);
    return WEIR_OK;
}

bool weir_cgroup_join(const char *group)
{
    return write_text(group, "cgroup.procs", "0") == 0;
}

bool weir_cgroup_has_killed(const char *group)
{
    static const char name[] = "oom_kill ";
    char text[TEXT_BYTES];
    (void)read_text(group, "memory.events", text); /* what cannot be read says nothing */
    const char *at = strstr(text, name);
    return at != NULL && strtoull(at + strlen(name), NULL, 10) > 0;
}

void weir_cgroup_destroy(char *group)
{
    if (group != NULL) {
        (void)write_text(group, "cgroup.kill", "1"); /* since Linux 5.14; nobody is left, mostly */
        (void)rmdir(group); /* one that dies slowly is removed at the next start */
        weir_free(group);
    }
}
