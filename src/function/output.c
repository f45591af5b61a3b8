/* What instances write: lines for the log, and the end of it for whoever invoked. */
#include "function/function_int.h"

enum { REPORT_STEP_US = 1000 };

static void log_line(struct weir_instance *instance, struct weir_str line)
{
    const struct weir_function *function = instance->function;
    const struct weir_functions_options *options = &function->functions->options;
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    if (options->log != NULL && line.n > 0) {
        struct weir_function_event event = { WEIR_LOG_INFO, "function.output",
            function->model->name, instance->request_id, instance->number, line };
        options->log(options->arg, &event);
    }
}

/* Add to the tail, which forgets its beginning when it is long. */
static void add_tail(struct weir_buf *tail, struct weir_str bytes)
{
    if (bytes.n >= WEIR_FUNCTION_LOG_TAIL) {
        weir_buf_reset(tail);
        bytes.p += bytes.n - WEIR_FUNCTION_LOG_TAIL;
        bytes.n = WEIR_FUNCTION_LOG_TAIL;
    } else if (tail->n + bytes.n > 2 * WEIR_FUNCTION_LOG_TAIL) {
        memmove(tail->p, tail->p + tail->n - WEIR_FUNCTION_LOG_TAIL, WEIR_FUNCTION_LOG_TAIL);
        tail->n = WEIR_FUNCTION_LOG_TAIL;
    }
    weir_buf_str(tail, bytes);
}

void weir_output_add(
        struct weir_instance *instance, enum weir_child_stream stream, struct weir_str bytes)
{
    struct weir_buf *line = &instance->lines[stream];
    add_tail(&instance->tail, bytes);
    while (bytes.n > 0) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        size_t n = end != NULL ? (size_t)(end - bytes.p) : bytes.n;
        size_t room = WEIR_FUNCTION_LINE_MAX - line->n;
        size_t taken = n < room ? n : room;
        if (end != NULL && taken == n && line->n == 0) {
            log_line(instance, weir_str(bytes.p, n)); /* the whole line is here: no copy */
        } else {
            weir_buf_add(line, bytes.p, taken);
            if (taken < n || end != NULL || line->n == WEIR_FUNCTION_LINE_MAX) {
                log_line(instance, weir_buf_view(line));
                weir_buf_reset(line);
            }
        }
        taken += end != NULL && taken == n;
        bytes = weir_str(bytes.p + taken, bytes.n - taken);
    }
}

void weir_output_end(struct weir_instance *instance)
{
    for (size_t i = 0; i < WEIR_COUNT(instance->lines); i++) {
        log_line(instance, weir_buf_view(&instance->lines[i]));
        weir_buf_reset(&instance->lines[i]);
    }
}

void weir_output_begin(struct weir_instance *instance)
{
    weir_buf_reset(&instance->tail);
    instance->most_memory_bytes = 0;
    if (instance->invocation->want_log) {
        weir_buf_printf(
                &instance->tail, "START RequestId: %s Version: $LATEST\n", instance->request_id);
    }
}

struct weir_str weir_output_tail(struct weir_instance *instance, uint64_t duration_us)
{
    const struct weir_function_model *model = instance->function->model;
    struct weir_buf *tail = &instance->tail;
    if (tail->n > 0 && tail->p[tail->n - 1] != '\n') {
        weir_buf_byte(tail, '\n');
    }
    uint64_t billed_ms = (duration_us + REPORT_STEP_US - 1) / REPORT_STEP_US;
    uint64_t most = weir_memory_of(weir_child_pid(instance->child));
    most = most > instance->most_memory_bytes ? most : instance->most_memory_bytes;
    weir_buf_printf(tail, "END RequestId: %s\nREPORT RequestId: %s\tDuration: %llu.%02llu ms\t",
            instance->request_id, instance->request_id, (unsigned long long)(duration_us / 1000),
            (unsigned long long)(duration_us % 1000 / 10));
    weir_buf_printf(tail,
            "Billed Duration: %llu ms\tMemory Size: %llu MB\tMax Memory Used: %llu MB\n",
            (unsigned long long)billed_ms, (unsigned long long)(model->memory_bytes >> 20),
            (unsigned long long)(most >> 20));
    size_t n = tail->n < WEIR_FUNCTION_LOG_TAIL ? tail->n : WEIR_FUNCTION_LOG_TAIL;
    return weir_str(tail->p + tail->n - n, n);
}
