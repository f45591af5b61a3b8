/*
 * `weir __exec`: between weir and a command.
 *
 * It is a process of its own because something has to outlive weir for a moment: when weir is
 * killed, its end of the lifeline closes, and this process kills everything below it. It is made
 * the reaper of orphans, so that also what went into a session of its own, or lost its parent, is
 * found and killed. If this process itself is killed, the kernel kills the command with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "function/function_int.h"
#include "net/child.h"

enum { STATUS_NOT_STARTED = 127, CHILDREN_TEXT = 4096 };

/* Kill the children there are at this moment; whether there were any. */
static bool kill_children(void)
{
    char path[64];
    char text[CHILDREN_TEXT];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (n < 0) {
        /* A kernel without that file: what is in the group, this process with it. */
        kill(0, SIGKILL);
        return false;
    }
    text[n] = '\0';
    char *at = text;
    bool any = false;
    for (;;) {
        char *end = at;
        long pid = strtol(at, &end, 10);
        if (end == at || *end == '\0') {
            return any; /* a number at the very end may be cut: the next look finds it whole */
        }
        kill((pid_t)pid, SIGKILL);
        any = true;
        at = end;
    }
}

/* Until nothing is left below this process; orphans become its children meanwhile. */
static void kill_all(void)
{
    while (kill_children()) {
        while (waitpid(-1, NULL, 0) < 0 && errno == EINTR) {
        }
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
    }
}

/* End in the way a command ended. */
_Noreturn static void end_as(int status)
{
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, WTERMSIG(status));
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_NOT_STARTED);
}

/* argv is that of weir_function_exec. */
_Noreturn static void become(char **argv, const sigset_t *mask, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(STATUS_NOT_STARTED); /* it ended before the line above */
    }
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (argv[0][0] != '\0' && !weir_cgroup_join(argv[0])) {
        fprintf(stderr, "cannot join %s: %m\n", argv[0]);
    } else if (chdir(argv[1]) != 0) {
        fprintf(stderr, "cannot enter %s: %m\n", argv[1]);
    } else {
        execvp(argv[2], argv + 2);
        fprintf(stderr, "cannot start %s: %m\n", argv[2]);
    }
    fflush(stderr);
    _exit(STATUS_NOT_STARTED);
}

/* Take the news of ended children; ends the process with the command. */
static void reap(pid_t command)
{
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        if (pid == command) {
            kill_all();
            end_as(status);
        }
    }
}

void weir_function_exec(int argc, char **argv)
{
    if (argc < 3) {
        _exit(STATUS_NOT_STARTED);
    }
    sigset_t none;
    sigset_t watched;
    sigemptyset(&none);
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGTERM); /* is for the group: the command ends, and this process then */
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGHUP);
    sigprocmask(SIG_BLOCK, &watched, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    fcntl(WEIR_CHILD_LIFELINE, F_SETFD, FD_CLOEXEC);
    close_range(WEIR_CHILD_LIFELINE + 1, ~0U, 0);
    int signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    pid_t parent = getpid();
    pid_t command = fork();
    if (command == 0) {
        become(argv, &none, parent);
    }
    if (command < 0 || signals < 0) {
        fprintf(stderr, "cannot start %s: %m\n", argv[2]);
        fflush(stderr);
        kill_all();
        _exit(STATUS_NOT_STARTED);
    }
    struct pollfd polled[] = {
        { .fd = WEIR_CHILD_LIFELINE, .events = POLLIN },
        { .fd = signals, .events = POLLIN },
    };
    for (;;) {
        if (poll(polled, 2, -1) < 0) {
            continue; /* interrupted */
        }
        if (polled[0].revents != 0) {
            kill_all();
            _exit(STATUS_NOT_STARTED);
        }
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof(info)) > 0) {
        }
        reap(command);
    }
}
