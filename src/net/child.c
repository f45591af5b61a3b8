#include "net/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "net/net_int.h"

enum {
    STREAMS = 2,
    READ_BYTES = 64 * 1024,
    READS_MAX = 16, /* of one stream in a row, so that a child that shouts does not hold the loop */
};

/* One of the child's outputs. */
struct stream {
    uv_poll_t poll;
    struct weir_child *child;
    enum weir_child_stream number;
    int fd; /* -1: closed */
};

struct weir_child {
    uv_process_t process;
    struct stream streams[STREAMS];
    struct weir_child_options options; /* only the callbacks and their arg are used later */
    int lifeline;                      /* the end that is held; -1: let go */
    int open_handles;                  /* of libuv */
    bool running;
    bool destroyed;
};

static void on_closed(uv_handle_t *handle)
{
    struct weir_child *child = handle->data;
    if (--child->open_handles == 0 && child->destroyed) {
        weir_free(child);
    }
}

/* A poll handle leads to its stream; closing needs the child behind it. */
static void close_stream(struct stream *stream)
{
    if (stream->fd < 0) {
        return;
    }
    uv_poll_stop(&stream->poll);
    close(stream->fd);
    stream->fd = -1;
    stream->poll.data = stream->child;
    uv_close((uv_handle_t *)&stream->poll, on_closed);
}

/* Read what is there, at most `reads` pieces. */
static void read_stream(struct stream *stream, int reads)
{
    char bytes[READ_BYTES];
    struct weir_child *child = stream->child;
    while (stream->fd >= 0 && !child->destroyed && reads-- > 0) {
        ssize_t n = read(stream->fd, bytes, sizeof(bytes));
        if (n > 0) {
            child->options.on_output(
                    child->options.arg, stream->number, weir_str(bytes, (size_t)n));
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            close_stream(stream);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status; /* what is wrong with the pipe shows in reading it */
    (void)events;
    read_stream(poll->data, READS_MAX);
}

static void on_exit(uv_process_t *process, int64_t status, int signal_number)
{
    struct weir_child *child = process->data;
    child->running = false;
    if (signal_number != 0) {
        kill(-process->pid, SIGKILL); /* killed alone, it left its group behind */
    }
    uv_close((uv_handle_t *)process, on_closed);
    weir_child_drain(child);
    for (int i = 0; i < STREAMS; i++) {
        close_stream(&child->streams[i]);
    }
    weir_child_kill(child);
    if (!child->destroyed) {
        child->options.on_exit(
                child->options.arg, (struct weir_child_exit){ (int)status, signal_number });
    }
}

static int make_pipe(int *ret_read, int *ret_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    *ret_read = ends[0];
    *ret_write = ends[1];
    return 0;
}

static void close_all(int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

static int start_reading(struct weir_loop *loop, struct weir_child *child, int *fds)
{
    for (int i = 0; i < STREAMS; i++) {
        struct stream *stream = &child->streams[i];
        stream->child = child;
        stream->number = (enum weir_child_stream)i;
        stream->fd = -1;
        int failed = uv_poll_init(weir_loop_uv(loop), &stream->poll, fds[i]);
        if (failed != 0) {
            return failed;
        }
        child->open_handles++;
        stream->poll.data = stream;
        stream->fd = fds[i];
        fds[i] = -1;
        failed = uv_poll_start(&stream->poll, UV_READABLE, on_readable);
        if (failed != 0) {
            return failed;
        }
    }
    return 0;
}

/*
 * fds holds the child's ends: output, error, lifeline, and input when that is /dev/null. libuv's
 * structs want pointers that are not const, and change nothing behind them.
 */
static int spawn(struct weir_loop *loop, struct weir_child *child, const int *fds)
{
    uv_stdio_container_t stdio[WEIR_CHILD_LIFELINE + 1] = {
        { .flags = UV_INHERIT_FD, .data.fd = fds[3] },
        { .flags = UV_INHERIT_FD, .data.fd = fds[0] },
        { .flags = UV_INHERIT_FD, .data.fd = fds[1] },
        { .flags = UV_INHERIT_FD, .data.fd = fds[2] },
    };
    uv_process_options_t process = {
        .exit_cb = on_exit,
        .file = child->options.program,
        .args = (char **)(uintptr_t)child->options.arguments,
        .env = (char **)(uintptr_t)child->options.environment,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = WEIR_COUNT(stdio),
        .stdio = stdio,
    };
    child->process.data = child;
    child->open_handles++; /* also a handle that failed to start must be closed */
    return uv_spawn(weir_loop_uv(loop), &child->process, &process);
}

enum weir_rc weir_child_create(struct weir_loop *loop, const struct weir_child_options *options,
        struct weir_child **ret_child, struct weir_err *err)
{
    int ours[3] = { -1, -1, -1 };
    int theirs[4] = { -1, -1, -1, -1 };
    struct weir_child *child = weir_alloc_zero(1, sizeof(*child));
    child->options = *options;
    child->lifeline = -1;
    child->streams[WEIR_CHILD_OUT].fd = -1;
    child->streams[WEIR_CHILD_ERR].fd = -1;
    int failed = make_pipe(&ours[0], &theirs[0]);
    failed = failed != 0 ? failed : make_pipe(&ours[1], &theirs[1]);
    failed = failed != 0 ? failed : make_pipe(&theirs[2], &ours[2]);
    theirs[3] = options->input < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC)
                                   : fcntl(options->input, F_DUPFD_CLOEXEC, 0);
    failed = failed != 0 || theirs[3] >= 0 ? failed : -errno;
    failed = failed != 0 ? failed : start_reading(loop, child, ours);
    if (failed == 0) {
        failed = spawn(loop, child, theirs);
        child->running = failed == 0;
    }
    child->lifeline = ours[2];
    close_all(theirs, 4);
    if (failed != 0) {
        close_all(ours, 2);
        if (child->process.data != NULL) {
            uv_close((uv_handle_t *)&child->process, on_closed);
        }
        weir_child_destroy(child);
        return weir_fail(
                err, WEIR_E_IO, "cannot start %s: %s", options->program, uv_strerror(failed));
    }
    *ret_child = child;
    return WEIR_OK;
}

int weir_child_pid(const struct weir_child *child)
{
    return child->process.pid;
}

void weir_child_signal(struct weir_child *child, int number)
{
    if (child->running) {
        kill(-child->process.pid, number);
    }
}

void weir_child_kill(struct weir_child *child)
{
    if (child->lifeline >= 0) {
        close(child->lifeline);
        child->lifeline = -1;
    }
}

void weir_child_drain(struct weir_child *child)
{
    for (int i = 0; i < STREAMS; i++) {
        read_stream(&child->streams[i], READS_MAX);
    }
}

void weir_child_destroy(struct weir_child *child)
{
    if (child == NULL) {
        return;
    }
    child->destroyed = true;
    weir_child_kill(child);
    for (int i = 0; i < STREAMS; i++) {
        close_stream(&child->streams[i]);
    }
    if (child->running) {
        child->running = false;
        uv_close((uv_handle_t *)&child->process, on_closed);
    }
    if (child->open_handles == 0) {
        weir_free(child);
    }
}
