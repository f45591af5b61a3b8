/* Dead letters over the admin API. */
#include "api/admin_int.h"
#include "base/mem.h"
#include "pipeline/letters.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum { KEY_DEPTH = 64 };

/* Which letters a request means. Errors: WEIR_E_INVALID (its key). */
static enum weir_rc read_wanted(
        struct weir_http_request *request, struct weir_letters *ret_letters, struct weir_err *err)
{
    struct weir_letters letters = {
        .pipeline = weir_admin_parameter(request, "pipeline"),
        .sequence = weir_admin_parameter(request, "sequence"),
        .fingerprint = weir_admin_parameter(request, "fingerprint"),
        .error = weir_admin_parameter(request, "error"),
        .since = weir_admin_parameter(request, "since"),
        .until = weir_admin_parameter(request, "until"),
        .after = weir_admin_parameter(request, "after"),
        .stale = weir_str_eq(weir_admin_parameter(request, "stale"), WEIR_STR("true")),
        .lines = request->body,
    };
    struct weir_str key = weir_admin_parameter(request, "key");
    if (key.n > 0) {
        struct weir_json json;
        weir_json_init(&json, key, &request->arena, KEY_DEPTH);
        enum weir_rc rc = weir_ddbjson_read_item(&json, weir_json_next(&json), &letters.keys, err);
        if (rc != WEIR_OK) {
            return weir_fail_in(err, rc, "key: ");
        }
    }
    *ret_letters = letters;
    return WEIR_OK;
}

static void write_next(struct weir_buf *body, struct weir_str next)
{
    if (next.n > 0) {
        weir_buf_z(body, ",\"next\":");
        weir_json_write_string(body, next);
    }
    weir_buf_z(body, "}\n");
}

/* --- listing ----------------------------------------------------------------------------- */

struct listing {
    struct weir_buf body;
    bool payload;
    size_t count;
};

static bool list_letter(void *arg, const struct weir_letter *letter)
{
    struct listing *listing = arg;
    weir_buf_z(&listing->body, listing->count > 0 ? ",\n" : "\n");
    weir_letter_show(&listing->body, letter, listing->payload);
    listing->count++;
    return true;
}

void weir_admin_letters(struct weir_http_request *request, void *arg)
{
    struct weir_letters letters = { 0 };
    struct weir_err err = { 0 };
    struct weir_str next = { 0 };
    struct listing listing = { 0 };
    enum weir_rc rc = read_wanted(request, &letters, &err);
    weir_buf_init(&listing.body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    weir_buf_z(&listing.body, "{\"letters\":[");
    if (rc == WEIR_OK) {
        listing.payload = letters.sequence.n > 0;
        rc = weir_pipelines_letters(
                arg, &letters, &request->arena, list_letter, &listing, &next, &err);
    }
    if (rc == WEIR_OK) {
        weir_buf_byte(&listing.body, ']');
        write_next(&listing.body, next);
        weir_admin_respond_json(request, &listing.body);
    } else {
        weir_admin_respond_error(request, &err);
    }
    weir_buf_fini(&listing.body);
}

/* --- processing them again ------------------------------------------------------------------ */

void weir_admin_redrive(struct weir_http_request *request, void *arg)
{
    struct weir_letters letters = { 0 };
    struct weir_redriven done = { 0 };
    struct weir_err err = { 0 };
    enum weir_rc rc = read_wanted(request, &letters, &err);
    if (rc == WEIR_OK) {
        rc = weir_pipelines_redrive(arg, &letters, &request->arena, &done, &err);
    }
    if (rc != WEIR_OK) {
        weir_admin_respond_error(request, &err);
        return;
    }
    struct weir_buf body;
    weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    weir_buf_printf(&body, "{\"time\":\"%s\",\"given\":%zu,\"stale\":%zu", done.time, done.given,
            done.stale);
    if (done.taken > 0) {
        weir_buf_printf(&body, ",\"taken\":%zu", done.taken);
    }
    if (done.refused > 0) {
        weir_buf_printf(&body, ",\"refused\":%zu,\"reason\":", done.refused);
        weir_json_write_string(&body, weir_str_z(done.why.msg));
    }
    write_next(&body, done.next);
    weir_admin_respond_json(request, &body);
    weir_buf_fini(&body);
}

/* --- deleting --------------------------------------------------------------------------------- */

/* A request that waits for its commit. */
struct removal {
    struct weir_letters_removal base;
    struct weir_http_request *request; /* NULL once the client is gone */
    struct weir_str next;              /* owned */
};

static void client_gone(struct weir_http_request *request)
{
    struct removal *removal = request->owner;
    removal->request = NULL;
}

static void removed(struct weir_letters_removal *base)
{
    struct removal *removal = WEIR_CONTAINER(base, struct removal, base);
    if (removal->request != NULL && base->rc != WEIR_OK) {
        weir_admin_respond_error(removal->request, &base->err);
    } else if (removal->request != NULL) {
        struct weir_buf body;
        weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
        weir_buf_printf(&body, "{\"deleted\":%zu", base->count);
        write_next(&body, removal->next);
        weir_admin_respond_json(removal->request, &body);
        weir_buf_fini(&body);
    }
    char *next = NULL;
    memcpy(&next, &removal->next.p, sizeof(next)); /* it was made below: no const underneath */
    weir_free(next);
    weir_free(removal);
}

void weir_admin_remove_letters(struct weir_http_request *request, void *arg)
{
    struct weir_letters letters = { 0 };
    struct weir_err err = { 0 };
    struct weir_str next = { 0 };
    struct removal *removal = weir_alloc_zero(1, sizeof(*removal));
    removal->base.done = removed;
    enum weir_rc rc = read_wanted(request, &letters, &err);
    if (rc == WEIR_OK) {
        rc = weir_pipelines_remove_letters(
                arg, &letters, &request->arena, &removal->base, &next, &err);
    }
    if (rc != WEIR_OK) {
        weir_free(removal);
        weir_admin_respond_error(request, &err);
        return;
    }
    removal->next = weir_str(weir_strndup(next.p, next.n), next.n);
    removal->request = request;
    request->owner = removal;
    request->on_gone = client_gone;
}
