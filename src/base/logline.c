#include "base/logline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

static struct {
    enum weir_level least;
    bool json;
    const struct weir_clock *clock;
    void (*listen)(void *arg, const struct weir_logline_event *event);
    void *listen_arg;
} setup = { .least = WEIR_LOG_INFO };

enum { PAIRS_MAX = 16 };

void weir_logline_setup(enum weir_level least, bool json, const struct weir_clock *clock)
{
    setup.least = least;
    setup.json = json;
    setup.clock = clock;
}

void weir_logline_listen(
        void (*listen)(void *arg, const struct weir_logline_event *event), void *arg)
{
    setup.listen = listen;
    setup.listen_arg = arg;
}

static const char *level_name(enum weir_level level)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    return names[level];
}

static void add_quoted(struct weir_buf *buf, const char *text)
{
    weir_buf_byte(buf, '"');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            weir_buf_byte(buf, '\\');
            weir_buf_byte(buf, *c);
        } else if ((unsigned char)*c < 0x20) {
            weir_buf_printf(buf, "\\u%04x", (unsigned)*c);
        } else {
            weir_buf_byte(buf, *c);
        }
    }
    weir_buf_byte(buf, '"');
}

static void add_pair(struct weir_buf *buf, const char *key, const char *value)
{
    if (setup.json) {
        weir_buf_byte(buf, ',');
        add_quoted(buf, key);
        weir_buf_byte(buf, ':');
        add_quoted(buf, value);
        return;
    }
    weir_buf_printf(buf, " %s=", key);
    if (strpbrk(value, " \"\n\t") != NULL || *value == '\0') {
        add_quoted(buf, value);
    } else {
        weir_buf_z(buf, value);
    }
}

static void write_line(const struct weir_logline_event *event)
{
    const struct weir_clock *clock = setup.clock != NULL ? setup.clock : weir_clock_system();
    char time[WEIR_TIME_TEXT];
    weir_time_format(weir_clock_wall(clock), time);
    struct weir_buf buf;
    weir_buf_init(&buf, 64 * 1024);
    if (setup.json) {
        weir_buf_printf(&buf, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", time,
                level_name(event->level));
        add_quoted(&buf, event->what);
    } else {
        weir_buf_printf(&buf, "%s %-5s %s", time, level_name(event->level), event->what);
    }
    for (size_t i = 0; i < event->count; i++) {
        add_pair(&buf, event->keys[i], event->values[i]);
    }
    weir_buf_z(&buf, setup.json ? "}\n" : "\n");
    /* One write call a line, so that lines of several threads do not mix. */
    size_t done = 0;
    while (done < buf.n) {
        ssize_t n = write(STDERR_FILENO, buf.p + done, buf.n - done);
        if (n <= 0) {
            break; /* nobody listens; there is no one left to tell */
        }
        done += (size_t)n;
    }
    weir_buf_fini(&buf);
}

void weir_logline(enum weir_level level, const char *what, ...)
{
    if (level < setup.least) {
        return;
    }
    const char *keys[PAIRS_MAX];
    const char *values[PAIRS_MAX];
    struct weir_logline_event event = { level, what, keys, values, 0 };
    va_list args;
    va_start(args, what);
    for (const char *key = va_arg(args, const char *); key != NULL && event.count < PAIRS_MAX;
            key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        keys[event.count] = key;
        values[event.count++] = value != NULL ? value : "";
    }
    va_end(args);
    if (setup.listen != NULL) {
        setup.listen(setup.listen_arg, &event);
    } else {
        write_line(&event);
    }
}
