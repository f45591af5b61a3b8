#include "cli/dlq.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum {
    PATH_MAX_BYTES = 64 << 10,
    ANSWER_MAX_BYTES = 64 << 20,
    NAMES_MAX = 1024,
    PAGE_BYTES = 1 << 20,       /* of a file of letters, with one request; a line may be longer */
    LINES_MAX_BYTES = 15 << 20, /* what weir takes with a request, with some room */
};

/* --- the pipeline ---------------------------------------------------------------------------- */

/* Looking for one of the objects that a part of the status lists. */
struct search {
    struct weir_arena *arena;
    struct weir_str name;
    struct weir_str found; /* the object's text */
    const char *names[NAMES_MAX];
    size_t count;
};

static bool look(void *arg, struct weir_str object)
{
    struct search *search = arg;
    struct weir_str name =
            weir_arena_str(search->arena, weir_cli_member(search->arena, object, "name"));
    if (search->count < NAMES_MAX) {
        search->names[search->count++] = name.p;
    }
    search->found = weir_str_eq(name, search->name) ? object : search->found;
    return search->found.n == 0;
}

static enum weir_cli_exit unknown_pipeline(const struct search *search)
{
    const char *nearest = weir_str_nearest(search->name, search->names, search->count);
    if (nearest != NULL) {
        return weir_cli_fail("there is no pipeline '%.*s'; did you mean '%s'?",
                WEIR_STR_ARG(search->name), nearest);
    }
    return weir_cli_fail("there is no pipeline '%.*s'%s", WEIR_STR_ARG(search->name),
            search->count > 0 ? "; `weir status` lists them" : ": weir runs none");
}

/* The names would burden the stack, and live as long as the arena. */
static struct search *search_for(
        struct weir_arena *arena, struct weir_str answer, const char *part, struct weir_str name)
{
    struct search *search = WEIR_ARENA_NEW(arena, struct search);
    search->arena = arena;
    search->name = name;
    weir_cli_each(weir_cli_member(arena, answer, part), look, search);
    return search;
}

static enum weir_cli_exit read_status(const struct weir_cli_dlq *dlq, struct weir_str answer,
        struct weir_arena *arena, struct weir_cli_pipeline_status *ret_status)
{
    const struct search *search = search_for(arena, answer, "pipelines", dlq->pipeline);
    if (search->found.n == 0) {
        return unknown_pipeline(search);
    }
    struct weir_str at_end = weir_cli_member(arena, search->found, "at_end");
    struct weir_str place = weir_cli_member(arena, search->found, "dead_letters");
    *ret_status = (struct weir_cli_pipeline_status){
        .table = weir_arena_str(arena, weir_cli_member(arena, place, "table")),
        .file = weir_arena_str(arena, weir_cli_member(arena, place, "file")),
        .keeps_letters = place.n > 0,
        .state = weir_arena_str(arena, weir_cli_member(arena, search->found, "state")),
        .reason = weir_arena_str(arena, weir_cli_member(arena, search->found, "reason")),
        .at_end = weir_str_eq(at_end, WEIR_STR("true")),
    };
    struct weir_str table = ret_status->table;
    if (table.n > 0 && search_for(arena, answer, "tables", table)->found.n == 0) {
        return weir_cli_fail("pipeline '%.*s' keeps its dead letters in table '%.*s', which is not "
                             "there; its key is { pipeline: S, sequence: S }",
                WEIR_STR_ARG(dlq->pipeline), WEIR_STR_ARG(table));
    }
    return WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_status(const struct weir_cli_dlq *dlq, struct weir_arena *arena,
        struct weir_cli_pipeline_status *ret_status)
{
    struct weir_http_reply reply = { 0 };
    struct weir_cli_request request = { .path = WEIR_STR("/v1/status") };
    enum weir_cli_exit code = weir_cli_fetch(dlq->call, &request, &reply);
    if (code == WEIR_CLI_DONE) {
        code = read_status(dlq, weir_buf_view(&reply.body), arena, ret_status);
    }
    weir_http_reply_fini(&reply);
    return code;
}

/* --- which letters ----------------------------------------------------------------------------
 */

static enum weir_cli_exit add_key(struct weir_buf *query, const struct weir_cli_call *call)
{
    struct weir_arena arena;
    struct weir_item key = { 0 };
    struct weir_buf json;
    if (call->key == NULL) {
        return WEIR_CLI_DONE;
    }
    weir_arena_init(&arena);
    weir_buf_init(&json, PATH_MAX_BYTES);
    enum weir_cli_exit code = weir_cli_read_item(call, "--key", call->key, &arena, &key);
    if (code == WEIR_CLI_DONE) {
        weir_ddbjson_write_item(&json, key);
        weir_cli_add_parameter(query, "key", weir_buf_view(&json));
    }
    weir_buf_fini(&json);
    weir_arena_fini(&arena);
    return code;
}

static enum weir_cli_exit read_filter(struct weir_cli_dlq *dlq)
{
    const struct weir_cli_call *call = dlq->call;
    struct weir_buf query;
    weir_buf_init(&query, PATH_MAX_BYTES);
    weir_cli_add_parameter(
            &query, "fingerprint", weir_str_z(call->fingerprint != NULL ? call->fingerprint : ""));
    weir_cli_add_parameter(&query, "error", weir_str_z(call->error != NULL ? call->error : ""));
    enum weir_cli_exit code = weir_cli_add_time(&query, "since", call->since);
    if (code == WEIR_CLI_DONE) {
        code = weir_cli_add_time(&query, "until", call->until);
    }
    if (code == WEIR_CLI_DONE) {
        code = add_key(&query, call);
    }
    if (code == WEIR_CLI_DONE && query.overflow) {
        code = weir_cli_fail("what chooses the letters is too long");
    }
    dlq->filter = weir_arena_str(&dlq->arena, weir_buf_view(&query));
    weir_buf_fini(&query);
    return code;
}

enum weir_cli_exit weir_cli_dlq_init(struct weir_cli_dlq *dlq, const struct weir_cli_call *call)
{
    *dlq = (struct weir_cli_dlq){ .call = call, .pipeline = weir_str_z(call->arguments[1]) };
    weir_arena_init(&dlq->arena);
    struct weir_cli_pipeline_status status = { 0 };
    enum weir_cli_exit code = read_filter(dlq);
    if (code == WEIR_CLI_DONE) {
        code = weir_cli_dlq_status(dlq, &dlq->arena, &status);
    }
    dlq->file = status.file;
    if (code == WEIR_CLI_DONE && !status.keeps_letters) {
        weir_cli_fail("pipeline '%.*s' keeps no dead letters: it has no on_failure; add",
                WEIR_STR_ARG(dlq->pipeline));
        weir_cli_fail("  on_failure: { queue: dead-letters }");
        weir_cli_fail("to it, and to queues");
        return weir_cli_fail("  dead-letters: {}");
    }
    return code;
}

void weir_cli_dlq_fini(struct weir_cli_dlq *dlq)
{
    weir_arena_fini(&dlq->arena);
}

enum weir_cli_exit weir_cli_dlq_none(const struct weir_cli_dlq *dlq)
{
    const struct weir_cli_call *call = dlq->call;
    if (call->argument_count > 2) {
        return weir_cli_fail("pipeline '%.*s' has no dead letter %s", WEIR_STR_ARG(dlq->pipeline),
                call->arguments[2]);
    }
    if (call->fingerprint != NULL) {
        return weir_cli_fail("pipeline '%.*s' has no dead letter with fingerprint %s",
                WEIR_STR_ARG(dlq->pipeline), call->fingerprint);
    }
    return weir_cli_fail("pipeline '%.*s' has no such dead letter", WEIR_STR_ARG(dlq->pipeline));
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool take_data(void *arg, const struct weir_http_reply *reply, struct weir_str data)
{
    struct weir_buf *answer = arg;
    (void)reply;
    weir_buf_str(answer, data);
    return true;
}

static enum weir_cli_exit fetch(const struct weir_cli_dlq *dlq, const struct weir_cli_dlq_ask *ask,
        struct weir_buf *ret_answer)
{
    struct weir_buf path;
    struct weir_http_reply reply = { 0 };
    weir_buf_init(&path, 2 * PATH_MAX_BYTES);
    weir_buf_printf(&path, "%s?", ask->path);
    if (ask->until.n > 0) { /* the first one counts */
        weir_cli_add_parameter(&path, "until", ask->until);
    }
    weir_cli_add_parameter(&path, "pipeline", dlq->pipeline);
    weir_cli_add_parameter(&path, "sequence", ask->sequence);
    weir_buf_str(&path, ask->filter);
    weir_cli_add_parameter(&path, "after", ask->after);
    weir_buf_z(&path, ask->stale ? "&stale=true" : "");
    struct weir_cli_request request = {
        .path = weir_buf_view(&path),
        .post = ask->post,
        .body = ask->lines,
        .on_data = take_data,
        .arg = ret_answer,
    };
    weir_buf_reset(ret_answer);
    enum weir_cli_exit code = weir_cli_fetch(dlq->call, &request, &reply);
    if (code == WEIR_CLI_DONE && reply.status != 200) {
        code = weir_cli_refused(reply.status, weir_buf_view(ret_answer));
    }
    weir_http_reply_fini(&reply);
    weir_buf_fini(&path);
    return code;
}

/* --- letters of a file ----------------------------------------------------------------------- */

/* Where a page of lines ends: behind the last end of a line; 0: there is none. */
static size_t lines_end(struct weir_str text)
{
    const char *last = text.n > 0 ? memrchr(text.p, '\n', text.n) : NULL;
    return last != NULL ? (size_t)(last - text.p) + 1 : 0;
}

/* Whole lines of an open file from a place on, some at a time. next: behind them; 0: these are
 * the last ones. */
static bool read_lines(int file, uint64_t from, struct weir_buf *lines, uint64_t *ret_next)
{
    static char part[PAGE_BYTES];
    bool at_end = false;
    weir_buf_reset(lines);
    while (!at_end && lines_end(weir_buf_view(lines)) == 0 && !lines->overflow) {
        ssize_t n = pread(file, part, sizeof(part), (off_t)(from + lines->n));
        if (n < 0) {
            return false;
        }
        at_end = (size_t)n < sizeof(part);
        weir_buf_add(lines, part, (size_t)n);
    }
    size_t end = lines_end(weir_buf_view(lines));
    lines->n = at_end || end == 0 ? lines->n : end;
    *ret_next = at_end ? 0 : from + lines->n;
    return true;
}

/* The next lines of the file of letters. A file that is not there has none. */
static enum weir_cli_exit next_lines(const struct weir_cli_dlq *dlq, struct weir_str after,
        struct weir_buf *lines, uint64_t *ret_next)
{
    uint64_t from = 0;
    (void)weir_str_to_u64(after, &from);
    *ret_next = 0;
    int file = open(dlq->file.p, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) {
        weir_cli_fail("there is no file '%.*s' here: the dead letters of pipeline '%.*s' are its "
                      "lines, on the machine where weir runs",
                WEIR_STR_ARG(dlq->file), WEIR_STR_ARG(dlq->pipeline));
        return WEIR_CLI_DONE;
    }
    bool read = file >= 0 && read_lines(file, from, lines, ret_next);
    int error = errno;
    if (file >= 0) {
        close(file);
    }
    return read ? WEIR_CLI_DONE
                : weir_cli_fail("%.*s: %s", WEIR_STR_ARG(dlq->file), strerror(error));
}

/* Ask about letters that are lines of a file, page by page. */
static enum weir_cli_exit fetch_of_file(const struct weir_cli_dlq *dlq,
        const struct weir_cli_dlq_ask *ask, struct weir_buf *ret_answer)
{
    struct weir_buf lines;
    struct weir_cli_dlq_ask page = *ask;
    char place[24];
    uint64_t next = 0;
    weir_buf_init(&lines, LINES_MAX_BYTES);
    enum weir_cli_exit code = next_lines(dlq, ask->after, &lines, &next);
    snprintf(place, sizeof(place), "%llu", (unsigned long long)next);
    page.post = true;
    page.after = weir_str_z(next > 0 ? place : "");
    page.lines = lines.n > 0 ? weir_buf_view(&lines) : WEIR_STR("\n");
    if (code == WEIR_CLI_DONE) {
        code = fetch(dlq, &page, ret_answer);
    }
    weir_buf_fini(&lines);
    return code;
}

enum weir_cli_exit weir_cli_dlq_fetch(const struct weir_cli_dlq *dlq,
        const struct weir_cli_dlq_ask *ask, struct weir_buf *ret_answer)
{
    return dlq->file.n > 0 ? fetch_of_file(dlq, ask, ret_answer) : fetch(dlq, ask, ret_answer);
}

/* --- letter by letter ------------------------------------------------------------------------ */

/* A page on its way to the caller. */
struct page {
    enum weir_cli_exit (*each)(void *arg, struct weir_str letter);
    void *arg;
    enum weir_cli_exit code;
};

static bool take_letter(void *arg, struct weir_str text)
{
    struct page *page = arg;
    page->code = page->each(page->arg, text);
    return page->code == WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_each(const struct weir_cli_dlq *dlq, struct weir_str filter,
        enum weir_cli_exit (*each)(void *arg, struct weir_str letter), void *arg)
{
    struct page page = { .each = each, .arg = arg };
    struct weir_cli_dlq_ask ask = { .path = "/v1/dead-letters", .filter = filter };
    struct weir_arena arena;
    struct weir_buf answer;
    weir_arena_init(&arena);
    weir_buf_init(&answer, ANSWER_MAX_BYTES);
    do {
        page.code = weir_cli_dlq_fetch(dlq, &ask, &answer);
        if (page.code == WEIR_CLI_DONE) {
            struct weir_str text = weir_buf_view(&answer);
            weir_arena_reset(&arena);
            weir_cli_each(weir_cli_member(&arena, text, "letters"), take_letter, &page);
            ask.after = weir_arena_str(&arena, weir_cli_member(&arena, text, "next"));
        }
    } while (page.code == WEIR_CLI_DONE && ask.after.n > 0);
    weir_buf_fini(&answer);
    weir_arena_fini(&arena);
    return page.code;
}

static enum weir_cli_exit count_letter(void *arg, struct weir_str letter)
{
    uint64_t *count = arg;
    (void)letter;
    (*count)++;
    return WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_count(
        const struct weir_cli_dlq *dlq, struct weir_str filter, uint64_t *ret_count)
{
    *ret_count = 0;
    return weir_cli_dlq_each(dlq, filter, count_letter, ret_count);
}

struct weir_str weir_cli_dlq_text(struct weir_arena *arena, struct weir_str text, size_t most)
{
    bool cut = text.n > most;
    text.n = cut ? most : text.n;
    while (cut && text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80) {
        text.n--;
    }
    struct weir_str shown =
            weir_arena_printf(arena, "%.*s%s", WEIR_STR_ARG(text), cut ? "..." : "");
    char *copy = weir_arena_alloc(arena, shown.n + 1);
    for (size_t i = 0; i < shown.n; i++) {
        unsigned char c = (unsigned char)shown.p[i];
        copy[i] = c < ' ' || c == 0x7f ? ' ' : shown.p[i];
    }
    return weir_str(copy, shown.n);
}
