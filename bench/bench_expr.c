/*
 * Nanoseconds for one evaluation of expressions and templates on an item read in place:
 * the best of many rounds, so that other work on the machine counts little.
 *
 *     bench_expr [SECONDS]
 *
 * Prints a table, then one line of JSON.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "expr/expr.h"
#include "expr/template.h"

enum { ROUND = 1000 };

struct target {
    const char *name;
    const char *text;
    bool template; /* else an expression */
    double ns;
};

static struct target targets[] = {
    { "field", "new.status", false, 0 },
    { "field_deep", "new.meta.source.name", false, 0 },
    { "equal", "new.status == 'analyzed'", false, 0 },
    { "and3", "new.status == 'analyzed' && new.score > 0.5 && new.lang == 'en'", false, 0 },
    { "has_and", "has(new.score) && has(new.tags)", false, 0 },
    { "decimal_mul", "new.score * 100", false, 0 },
    { "decimal_compare", "new.score >= 0.75", false, 0 },
    { "in_list", "new.status in ['new', 'queued', 'analyzed']", false, 0 },
    { "split", "new.path.split('/')", false, 0 },
    { "exists", "new.tags.exists(t, t == 'urgent')", false, 0 },
    { "map", "new.tags.map(t, t + '!')", false, 0 },
    { "matches", "new.path.matches('^/api/v[0-9]+/')", false, 0 },
    { "timestamp", "timestamp(new.ingested_at)", false, 0 },
    { "ternary", "new.score > 0.8 ? 'high' : 'low'", false, 0 },
    { "template1", "${new.source_id}", true, 0 },
    { "template2", "${new.ingested_at}#${new.source_id}", true, 0 },
    { "template_number", "score-${new.score}", true, 0 },
};

static void add_text(struct weir_item_builder *builder, const char *name, const char *text)
{
    weir_item_name(builder, weir_str_z(name));
    weir_item_s(builder, weir_str_z(text));
}

static struct weir_item sample(struct weir_arena *arena)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    struct weir_decimal score = { 0 };
    struct weir_item item = { 0 };
    struct weir_err err = { 0 };
    enum weir_rc rc = weir_decimal_parse(WEIR_STR("0.875"), &score, &err);
    add_text(builder, "source_id", "feed-000123");
    add_text(builder, "ingested_at", "2025-11-25T15:53:08.123Z");
    add_text(builder, "status", "analyzed");
    add_text(builder, "lang", "en");
    add_text(builder, "path", "/api/v1/items/feed-000123");
    add_text(builder, "title", "A title of some forty characters, or so");
    weir_item_name(builder, WEIR_STR("score"));
    weir_item_n(builder, score);
    weir_item_name(builder, WEIR_STR("tags"));
    weir_item_open(builder, WEIR_TYPE_SS);
    weir_item_s(builder, WEIR_STR("news"));
    weir_item_s(builder, WEIR_STR("politics"));
    weir_item_s(builder, WEIR_STR("urgent"));
    weir_item_close(builder);
    weir_item_name(builder, WEIR_STR("meta"));
    weir_item_open(builder, WEIR_TYPE_M);
    weir_item_name(builder, WEIR_STR("source"));
    weir_item_open(builder, WEIR_TYPE_M);
    add_text(builder, "name", "wire");
    weir_item_close(builder);
    weir_item_close(builder);
    rc = rc == WEIR_OK ? weir_item_finish(builder, &item, &err) : rc;
    if (rc != WEIR_OK) {
        fprintf(stderr, "bench_expr: %s\n", err.msg);
        exit(1);
    }
    return item;
}

static enum weir_rc run_once(const struct weir_expr *expr, const struct weir_template *template,
        const struct weir_expr_frame *frame, struct weir_err *err)
{
    struct weir_expr_value value;
    return expr != NULL ? weir_expr_eval(expr, frame, &value, err)
                        : weir_template_eval(template, frame, &value, err);
}

static void measure(struct target *target, const struct weir_expr_frame *frame, double seconds)
{
    static const char *const names[] = { "new" };
    struct weir_expr_env env = { .names = names, .count = 1 };
    struct weir_err err = { 0 };
    WEIR_AUTO(weir_expr) struct weir_expr *expr = NULL;
    WEIR_AUTO(weir_template) struct weir_template *template = NULL;
    struct weir_str text = weir_str_z(target->text);
    enum weir_rc rc = target->template ? weir_template_compile(&env, text, &template, &err)
                                       : weir_expr_compile(&env, text, &expr, &err);
    const struct weir_clock *clock = weir_clock_system();
    uint64_t begin = weir_clock_monotonic_ns(clock);
    uint64_t end = begin;
    uint64_t best = UINT64_MAX;
    while (rc == WEIR_OK && (double)(end - begin) < seconds * 1e9) {
        uint64_t round = end;
        for (int i = 0; i < ROUND && rc == WEIR_OK; i++) {
            rc = run_once(expr, template, frame, &err);
            if (i % 32 == 0) {
                weir_arena_reset(frame->arena);
            }
        }
        end = weir_clock_monotonic_ns(clock);
        best = end - round < best ? end - round : best;
    }
    if (rc != WEIR_OK) {
        fprintf(stderr, "bench_expr: %s: %s\n", target->text, err.msg);
        exit(1);
    }
    target->ns = (double)best / ROUND;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.3;
    struct weir_arena arena;
    struct weir_arena scratch;
    weir_arena_init(&arena);
    weir_arena_init(&scratch);
    struct weir_expr_value slots[1] = { weir_expr_item(sample(&arena)) };
    struct weir_expr_frame frame = { .slots = slots, .slot_count = 1, .arena = &scratch };
    for (size_t i = 0; i < WEIR_COUNT(targets); i++) {
        measure(&targets[i], &frame, seconds);
        printf("%-16s %8.1f ns  %s\n", targets[i].name, targets[i].ns, targets[i].text);
    }
    printf("{\"bench\":\"expr\"");
    for (size_t i = 0; i < WEIR_COUNT(targets); i++) {
        printf(",\"%s_ns\":%.1f", targets[i].name, targets[i].ns);
    }
    printf("}\n");
    weir_arena_fini(&arena);
    weir_arena_fini(&scratch);
    return 0;
}
