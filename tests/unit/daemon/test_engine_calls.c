/*
 * A whole engine whose nth call to the outside goes wrong, for n = 1, 2, ... until nothing of it
 * is reached any more; then one that reaches nothing from its nth call on for a while. A pipeline
 * asks a function behind a URL about orders, makes totals of them and sends messages to two remote
 * queues; what it cannot process goes to a server, and an alarm tells another one of that. Once
 * it is over:
 *   - everything came to where it should: nothing is lost;
 *   - and came once, but for what nobody could know the outcome of, which may be there twice;
 *   - what has an order (orders of one key, an alarm's messages) came in it;
 *   - status says that nothing waits any more; while something did, it said so and why.
 *
 * One thread, virtual time: a run that fails repeats itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/logline.h"
#include "engine_world.h"

enum {
    ORDERS = 24,
    KEYS = 5,
    BAD_EVERY = 6, /* such an order becomes a letter */
    ALARM_MS = 10 * 1000,
    OUTAGE_MS = 90 * 1000,
    SETTLE_MS = 10 * 60 * 1000, /* longer than any pause */
};

static const char yaml[] =
        "tables:\n"
        "  orders: { key: { id: S }, stream: new_image }\n"
        "  totals: { key: { id: S } }\n"
        "queues:\n"
        "  undelivered: {}\n"
        "remotes:\n"
        "  shop: { region: us-east-1, access_key_id: key, secret_access_key: secret }\n"
        "functions:\n"
        "  price: { url: 'http://functions.test/price', timeout: 5s }\n"
        "pipelines:\n"
        "  ship:\n"
        "    source: { table: orders, window: 0s, batch: 4, concurrency: 2 }\n"
        "    steps:\n"
        "      - require: ['!has(new.bad)']\n"
        "      - invoke: { function: price }\n"
        "      - put: { table: totals, item: { id: '${new.id}', n: '${new.n}' } }\n"
        "      - id: work\n"
        "        send:\n"
        "          url: 'http://sqs.test/1/work'\n"
        "          remote: shop\n"
        "          body: '${new.n}'\n"
        "          dead_letters: undelivered\n"
        "      - id: audit\n"
        "        send:\n"
        "          url: 'http://sqs.test/1/audit.fifo'\n"
        "          remote: shop\n"
        "          body: '${new.n}'\n"
        "          dead_letters: undelivered\n"
        "    retry: { retries: 3, backoff: [1s] }\n"
        "    on_failure: { http: 'http://hooks.test/letters', queue: undelivered }\n"
        "alarms:\n"
        "  failing:\n"
        "    metric: weir_pipeline_dead_letters_total\n"
        "    statistic: rate\n"
        "    period: 10s\n"
        "    above: 0\n"
        "    missing: not_breaching\n"
        "    actions: [{ http: 'http://pager.test/' }]\n";

/* --- the outside ------------------------------------------------------------------------- */

enum fault {
    REFUSED,  /* it was not reached */
    BUSY,     /* 503 */
    FAILED,   /* 500 */
    UNHEARD,  /* no answer in time; nothing was done */
    UNKNOWN,  /* no answer in time, but it was done */
    CUT,      /* the answer broke off; it was done */
    NONSENSE, /* a good status, and a body of which nobody can tell what was done; it was */
    SOMEBODY, /* the same, of somebody in between; nothing was done */
    FAULTS,
};

static const char *const fault_names[FAULTS] = { "refused", "busy", "failed", "unheard", "unknown",
    "cut", "nonsense", "somebody" };

/* What is told of an order, and whom. */
enum place { PRICED, SENT, AUDITED, LETTERED, PLACES };

static const char *const place_names[PLACES] = { "priced", "sent", "audited", "lettered" };

/* What a place has had of an order. */
struct told {
    unsigned times;
    unsigned unknown;   /* of them, with an answer that did not arrive */
    char identity[200]; /* that the first one came with: a repetition of it is no new one */
};

struct outside {
    uint64_t calls;
    uint64_t fails_from; /* 0: never */
    uint64_t fails_before;
    enum fault fault;
    uint64_t faults; /* calls that went wrong */
    struct told orders[PLACES][ORDERS];
    size_t last[PLACES][KEYS]; /* order told of last, plus one */
    unsigned alarms;           /* messages, without repetitions */
    bool alarming;             /* says the last one */
    char alarm_identity[200];
    char body[8 * 1024];
    char wrong[200]; /* the first thing that may not happen; empty: nothing did */
};

struct world {
    struct engine_world base;
    struct outside outside;
    size_t sent;
    size_t refused;
};

static void note_wrong(struct outside *outside, const char *what, size_t number)
{
    if (outside->wrong[0] == '\0') {
        snprintf(outside->wrong, sizeof(outside->wrong), "order %zu %s", number, what);
    }
}

static bool has_order(enum place place)
{
    return place == PRICED || place == AUDITED;
}

static bool forgets_repetitions(enum place place)
{
    return place == AUDITED || place == LETTERED; /* a FIFO queue; one that minds the key */
}

static void tell(struct outside *outside, enum place place, size_t number, const char *identity,
        bool unknown)
{
    assert_true(number < ORDERS);
    struct told *told = &outside->orders[place][number];
    bool again = told->times > 0;
    if (again && forgets_repetitions(place)) {
        if (strcmp(told->identity, identity) != 0) {
            note_wrong(outside, "came again as another one", number);
        }
        told->unknown += unknown;
        return;
    }
    size_t *last = &outside->last[place][number % KEYS];
    if (!again && has_order(place) && *last > number + 1) {
        note_wrong(outside, "came behind a later one of its key", number);
    }
    *last = number + 1 > *last ? number + 1 : *last;
    snprintf(told->identity, sizeof(told->identity), "%s", identity);
    told->times++;
    told->unknown += unknown;
}

/* The text between a mark and the next quotation mark; moves *at behind it. False: no more. */
static bool next_text(const char **at, const char *mark, char *ret_text, size_t size)
{
    const char *found = strstr(*at, mark);
    if (found == NULL) {
        return false;
    }
    found += strlen(mark);
    size_t n = strcspn(found, "\"");
    snprintf(ret_text, size, "%.*s", (int)n, found);
    *at = found + n;
    return true;
}

/* Every record in a text: of the function's event, or of a letter. */
static void take_records(
        struct outside *outside, enum place place, const char *identity, bool unknown)
{
    const char *at = outside->body;
    char number[24];
    while (next_text(&at, "\"n\":{\"N\":\"", number, sizeof(number))) {
        tell(outside, place, strtoul(number, NULL, 10), identity, unknown);
    }
}

/* Answers as SQS does. */
static void take_messages(struct outside *outside, bool unknown, struct weir_buf *answer)
{
    enum place place = strstr(outside->body, "audit.fifo") != NULL ? AUDITED : SENT;
    const char *at = outside->body;
    const char *comma = "";
    char id[24];
    char number[24];
    char identity[200] = "";
    weir_buf_z(answer, "{\"Successful\":[");
    while (next_text(&at, "\"Id\":\"", id, sizeof(id))) {
        assert_true(next_text(&at, "\"MessageBody\":\"", number, sizeof(number)));
        if (place == AUDITED) {
            assert_true(
                    next_text(&at, "\"MessageDeduplicationId\":\"", identity, sizeof(identity)));
        }
        tell(outside, place, strtoul(number, NULL, 10), identity, unknown);
        weir_buf_printf(answer, "%s{\"Id\":\"%s\",\"MessageId\":\"m\"}", comma, id);
        comma = ",";
    }
    weir_buf_z(answer, "],\"Failed\":[]}");
}

static void take_alarm(struct outside *outside, const char *identity)
{
    bool alarming = strstr(outside->body, "\"NewStateValue\":\"ALARM\"") != NULL;
    if (strcmp(identity, outside->alarm_identity) == 0) {
        return;
    }
    if (outside->alarms > 0 && alarming == outside->alarming) {
        note_wrong(outside, "(none): an alarm's messages came out of order", 0);
    }
    snprintf(outside->alarm_identity, sizeof(outside->alarm_identity), "%s", identity);
    outside->alarming = alarming;
    outside->alarms++;
}

static struct weir_str find_header(const struct weir_http_call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++) {
        if (weir_str_eq(call->headers[i].name, weir_str_z(name))) {
            return call->headers[i].value;
        }
    }
    return WEIR_STR("");
}

/* Whoever is called does what it is asked. */
static void act(struct outside *outside, const struct weir_http_call *call, bool unknown,
        struct weir_buf *answer)
{
    char identity[200];
    snprintf(
            identity, sizeof(identity), "%.*s", WEIR_STR_ARG(find_header(call, "Idempotency-Key")));
    snprintf(outside->body, sizeof(outside->body), "%.*s", WEIR_STR_ARG(call->body));
    assert_true(call->body.n < sizeof(outside->body));
    if (weir_str_starts(call->url, WEIR_STR("http://functions.test/"))) {
        take_records(outside, PRICED, "", unknown);
        weir_buf_z(answer, "{}");
    } else if (weir_str_starts(call->url, WEIR_STR("http://sqs.test/"))) {
        take_messages(outside, unknown, answer);
    } else if (weir_str_starts(call->url, WEIR_STR("http://hooks.test/"))) {
        take_records(outside, LETTERED, identity, unknown);
    } else {
        take_alarm(outside, identity);
    }
}

static bool is_done(enum fault fault)
{
    return fault == UNKNOWN || fault == CUT || fault == NONSENSE;
}

/* What is answered with a fault. */
static struct weir_http_stand_in fail_call(enum fault fault)
{
    const struct weir_http_stand_in answers[FAULTS] = {
        [REFUSED] = { .after_ms = 1, .rc = WEIR_E_IO },
        [BUSY] = { .after_ms = 1, .status = 503 },
        [FAILED] = { .after_ms = 1, .status = 500 },
        [UNHEARD] = { .after_ms = UINT64_MAX },
        [UNKNOWN] = { .after_ms = UINT64_MAX },
        [CUT] = { .after_ms = 2, .rc = WEIR_E_IO, .sent = true },
        [NONSENSE] = { .after_ms = 2, .status = 200, .body = WEIR_STR("{\"Successful\":[{\"I") },
        [SOMEBODY] = { .after_ms = 2, .status = 200, .body = WEIR_STR("{\"welcome\":[]}") },
    };
    return answers[fault];
}

static struct weir_http_stand_in answer_call(void *arg, const struct weir_http_call *call)
{
    static char body[4096];
    struct outside *outside = arg;
    uint64_t nth = ++outside->calls;
    bool fails =
            outside->fails_from > 0 && nth >= outside->fails_from && nth < outside->fails_before;
    /* Who answers with a good status has done it, whatever stands in the answer. */
    bool read = weir_str_starts(call->url, WEIR_STR("http://sqs.test/"));
    bool garbles = outside->fault == NONSENSE || outside->fault == SOMEBODY;
    fails = fails && (read || !garbles);
    outside->faults += fails;
    struct weir_buf answer;
    weir_buf_init(&answer, sizeof(body) - 1);
    if (!fails || is_done(outside->fault)) {
        act(outside, call, fails, &answer);
    }
    snprintf(body, sizeof(body), "%.*s", WEIR_STR_ARG(weir_buf_view(&answer)));
    weir_buf_fini(&answer);
    return fails ? fail_call(outside->fault)
                 : (struct weir_http_stand_in){
                       .after_ms = 3, .status = 200, .body = weir_str_z(body)
                   };
}

/* --- orders ------------------------------------------------------------------------------- */

static struct world *world_create(const char *what, uint64_t n)
{
    struct world *world = weir_alloc_zero(1, sizeof(*world));
    engine_world_init(&world->base, yaml, what, n);
    weir_random_seed(&world->base.random, 1); /* the same session each time */
    world->base.network = answer_call;
    world->base.network_arg = &world->outside;
    engine_world_must_start(&world->base);
    return world;
}

static void world_destroy(struct world *world)
{
    engine_world_fini(&world->base);
    weir_free(world);
}

static bool is_bad(size_t number)
{
    return number % BAD_EVERY == BAD_EVERY - 1;
}

static void order_done(struct weir_txn *txn)
{
    struct world *world = txn->arg;
    world->refused += txn->rc != WEIR_OK;
    weir_txn_destroy(txn);
}

static void put_order(struct world *world)
{
    size_t number = world->sent++;
    struct weir_str json = weir_arena_printf(&world->base.arena, "{\"id\":\"%zu\",\"n\":%zu%s}",
            number % KEYS, number, is_bad(number) ? ",\"bad\":true" : "");
    engine_world_put(&world->base, "orders", json.p, order_done, world);
}

/* Write orders until there are so many, some at once. */
static void work(struct world *world, size_t until)
{
    while (world->sent < until) {
        for (uint64_t together = 1 + weir_random_below(&world->base.random, 4);
                together > 0 && world->sent < until; together--) {
            put_order(world);
        }
        engine_world_advance(&world->base, 1 + weir_random_below(&world->base.random, 50));
    }
}

/* --- what must hold ----------------------------------------------------------------------- */

#define MUST(world, condition, ...)                  \
    do {                                             \
        if (!(condition)) {                          \
            print_error("%s: ", (world)->base.what); \
            fail_msg(__VA_ARGS__);                   \
        }                                            \
    } while (0)

static void status_of(const struct world *world, struct weir_buf *buf)
{
    weir_buf_init(buf, 1 << 20);
    weir_buf_z(buf, "{\"pipelines\":");
    weir_pipelines_status(world->base.engine->pipelines, buf);
    weir_buf_z(buf, ",\"outbox\":");
    weir_outbox_status(world->base.engine->outbox, buf);
    weir_buf_byte(buf, '}');
    weir_buf_byte(buf, '\0');
}

static void check_orders(struct world *world)
{
    size_t newest[KEYS] = { 0 };
    for (size_t n = 0; n < world->sent; n++) {
        for (enum place place = 0; place < PLACES; place++) {
            const struct told *told = &world->outside.orders[place][n];
            bool must = is_bad(n) == (place == LETTERED);
            bool right =
                    must ? told->times >= 1 && told->times <= 1 + told->unknown : told->times == 0;
            MUST(world, right, "order %zu was %s %u times, %u with an unknown outcome", n,
                    place_names[place], told->times, told->unknown);
        }
        newest[n % KEYS] = is_bad(n) ? newest[n % KEYS] : n;
    }
    for (size_t key = 0; key < KEYS; key++) {
        struct weir_str json = weir_arena_printf(&world->base.arena, "{\"id\":\"%zu\"}", key);
        struct weir_item total = engine_world_get(&world->base, "totals", json.p);
        uint64_t n = 0;
        assert_true(
                weir_decimal_to_u64(weir_value_decimal(weir_item_get(total, WEIR_STR("n"))), &n));
        MUST(world, n == newest[key], "the total of key %zu is %llu", key, (unsigned long long)n);
    }
}

/* Once everything has settled. */
static void check(struct world *world)
{
    struct weir_buf status;
    engine_world_advance(&world->base, SETTLE_MS);
    MUST(world, world->outside.wrong[0] == '\0', "%s", world->outside.wrong);
    MUST(world, world->refused == 0, "%zu orders were refused", world->refused);
    check_orders(world);
    MUST(world, world->outside.alarms >= 2 && !world->outside.alarming,
            "%u messages of the alarm, the last one %s ALARM", world->outside.alarms,
            world->outside.alarming ? "says" : "does not say");
    status_of(world, &status);
    MUST(world, strstr(status.p, "\"outbox\":[]}") != NULL, "the outbox is not empty: %s",
            status.p);
    MUST(world, strstr(status.p, "\"at_end\":true") != NULL, "not at the end: %s", status.p);
    MUST(world, strstr(status.p, "\"stuck\"") == NULL, "still stuck: %s", status.p);
    weir_buf_fini(&status);
    weir_arena_reset(&world->base.arena);
}

/* What is settled stays so when the power goes. */
static void cut_and_check(struct world *world)
{
    uint64_t calls = world->outside.calls;
    engine_world_cut(&world->base);
    engine_world_must_start(&world->base);
    check(world);
    MUST(world, world->outside.calls == calls, "%llu calls more after a restart",
            (unsigned long long)(world->outside.calls - calls));
}

/* --- faults --------------------------------------------------------------------------------- */

/* The nth call goes wrong; false: it was not reached. */
static bool run_fault(enum fault fault, uint64_t n)
{
    struct world *world = world_create(fault_names[fault], n);
    world->outside.fault = fault;
    world->outside.fails_from = n;
    world->outside.fails_before = n + 1;
    work(world, ORDERS);
    check(world);
    bool reached = world->outside.calls >= n;
    cut_and_check(world);
    world_destroy(world);
    return reached;
}

/* Who waits for the outside is in status, with the reason. */
static void check_outage(struct world *world, const char *reason)
{
    struct weir_buf status;
    status_of(world, &status);
    MUST(world, world->outside.faults == 0 || strstr(status.p, reason) != NULL,
            "status does not say '%s': %s", reason, status.p);
    weir_buf_fini(&status);
}

/* From the nth call on nothing is reached, for a while and through a restart. */
static bool run_outage(enum fault fault, const char *reason, uint64_t n)
{
    struct world *world = world_create("nothing reached from call", n);
    world->outside.fault = fault;
    world->outside.fails_from = n;
    world->outside.fails_before = UINT64_MAX;
    work(world, ORDERS / 2);
    engine_world_advance(&world->base, OUTAGE_MS);
    check_outage(world, reason);
    engine_world_cut(&world->base);
    engine_world_must_start(&world->base);
    engine_world_advance(&world->base, OUTAGE_MS);
    check_outage(world, reason);
    bool reached = world->outside.faults > 0;
    world->outside.fails_from = 0;
    work(world, ORDERS);
    check(world);
    cut_and_check(world);
    world_destroy(world);
    return reached;
}

static void every_call_may_go_wrong(void **state)
{
    (void)state;
    for (enum fault fault = 0; fault < FAULTS; fault++) {
        uint64_t n = 1;
        while (run_fault(fault, n)) {
            n++;
        }
        assert_true(n > ORDERS / 2);
        print_message("%s: %llu calls\n", fault_names[fault], (unsigned long long)n - 1);
    }
}

static void nothing_may_be_reached_for_a_while(void **state)
{
    (void)state;
    uint64_t n = 1;
    while (run_outage(REFUSED, "not reached", n)) {
        n++;
    }
    assert_true(n > ORDERS / 4);
    n = 1;
    while (run_outage(BUSY, "503", n)) {
        n++;
    }
}

int main(void)
{
    weir_logline_setup(WEIR_LOG_ERROR + 1, false, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_may_go_wrong),
        cmocka_unit_test(nothing_may_be_reached_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
