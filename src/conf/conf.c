/*
 * YAML text to a tree. libfyaml delivers events; the tree is built here without
 * recursion, so depth, aliases and the number of nodes stay under our own limits.
 */
#include <libfyaml.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf_int.h"

enum tag {
    TAG_NONE,
    TAG_STRING, /* !!str, ! */
    TAG_PLAIN,  /* !!int and the like: what the text says anyway */
    TAG_ENV,
    TAG_FILE,
    TAG_UNKNOWN,
};

/* A finished node and what stands below it. */
struct entry {
    struct weir_conf node;
    unsigned nodes;  /* with itself, aliases counted as what they stand for */
    unsigned height; /* 1: no children */
};

/* A list or map that is not finished. */
struct frame {
    struct weir_conf node;
    size_t base;  /* of its children in the builder's stack; names and values take turns */
    enum tag tag; /* of the list or map */
    struct weir_str anchor; /* its name, empty when it has none */
};

struct anchor {
    struct weir_str name;
    struct entry entry;
};

/* Byte offsets to lines and columns; fast for offsets that grow. */
struct cursor {
    size_t at;
    unsigned line;
    unsigned column;
};

struct builder {
    struct weir_arena *arena;
    struct weir_diagnostics *diagnostics;
    struct weir_conf_secrets secrets;
    struct weir_str text; /* all of it, in the arena, zero-terminated */
    struct cursor cursor;
    struct weir_conf last; /* the place of the last event, for what has none of its own */
    struct frame frames[WEIR_CONF_MAX_DEPTH];
    unsigned depth;
    struct entry *entries; /* finished children of unfinished frames; owned */
    size_t count;
    size_t capacity;
    struct anchor *anchors; /* owned */
    size_t anchor_count;
    unsigned nodes;
    bool has_root;
    struct entry root;
};

/* --- places ------------------------------------------------------------------ */

static void cursor_move(struct builder *builder, size_t pos)
{
    struct cursor *cursor = &builder->cursor;
    struct weir_str text = builder->text;
    if (pos < cursor->at) {
        *cursor = (struct cursor){ .line = 1, .column = 1 };
    }
    for (; cursor->at < pos && cursor->at < text.n; cursor->at++) {
        char c = text.p[cursor->at];
        if (c == '\n' || (c == '\r' && text.p[cursor->at + 1] != '\n')) {
            cursor->line++;
            cursor->column = 1;
        } else if (((unsigned char)c & 0xc0) != 0x80) {
            cursor->column++;
        }
    }
}

static void place(struct builder *builder, struct weir_conf *node, size_t pos)
{
    cursor_move(builder, pos);
    node->line = builder->cursor.line;
    node->column = builder->cursor.column;
}

/* Where a block scalar's | or > stands, given where its text begins: in the last line before it. */
static size_t block_sign(struct weir_str text, size_t begin)
{
    size_t end = begin;
    while (end > 0 && strchr(" \t\r\n", text.p[end - 1]) != NULL) {
        end--;
    }
    size_t line = end;
    while (line > 0 && text.p[line - 1] != '\n') {
        line--;
    }
    for (size_t i = line; i < end; i++) {
        if (text.p[i] != '|' && text.p[i] != '>') {
            continue;
        }
        size_t after = i + 1 + strspn(text.p + i + 1, "+-0123456789");
        size_t blanks = strspn(text.p + after, " \t");
        if (after >= end || (text.p[after + blanks] == '#' && blanks > 0)) {
            return i;
        }
        i = after - 1;
    }
    return begin;
}

/* --- the stack of finished nodes ----------------------------------------------- */

static bool push(struct builder *builder, const struct entry *entry, struct weir_err *err)
{
    if (builder->depth + entry->height > WEIR_CONF_MAX_DEPTH) {
        weir_conf_error(builder->diagnostics, &entry->node, "nested more than %d levels deep",
                WEIR_CONF_MAX_DEPTH);
        weir_fail(err, WEIR_E_TOO_LARGE, "configuration is nested more than %d levels deep",
                WEIR_CONF_MAX_DEPTH);
        return false;
    }
    if (builder->depth == 0) {
        builder->root = *entry;
        builder->has_root = true;
        return true;
    }
    if (builder->count == builder->capacity) {
        builder->capacity = builder->capacity == 0 ? 256 : builder->capacity * 2;
        builder->entries =
                weir_realloc(builder->entries, builder->capacity, sizeof(builder->entries[0]));
    }
    builder->entries[builder->count++] = *entry;
    return true;
}

static bool add_nodes(
        struct builder *builder, const struct weir_conf *at, unsigned nodes, struct weir_err *err)
{
    builder->nodes += nodes; /* cannot wrap: each summand is under the limit */
    if (builder->nodes <= WEIR_CONF_MAX_NODES) {
        return true;
    }
    weir_conf_error(builder->diagnostics, at,
            "more than %d values, with every alias counted as what it stands for",
            WEIR_CONF_MAX_NODES);
    weir_fail(err, WEIR_E_TOO_LARGE, "configuration has more than %d values", WEIR_CONF_MAX_NODES);
    return false;
}

/* Whether the next node is the name of a member. */
static bool expects_name(const struct builder *builder)
{
    const struct frame *frame = builder->depth > 0 ? &builder->frames[builder->depth - 1] : NULL;
    return frame != NULL && frame->node.kind == WEIR_CONF_MAP &&
           (builder->count - frame->base) % 2 == 0;
}

/* --- tags and anchors ------------------------------------------------------------ */

static struct weir_str token_text(struct builder *builder, struct fy_token *token)
{
    size_t n = 0;
    const char *p = token != NULL ? fy_token_get_text(token, &n) : NULL;
    return p != NULL ? weir_arena_str(builder->arena, weir_str(p, n)) : WEIR_STR("");
}

static enum tag tag_of(struct builder *builder, struct fy_token *token, struct weir_str *ret_text)
{
    static const struct {
        struct weir_str text;
        enum tag tag;
    } tags[] = {
        { { "!env", 4 }, TAG_ENV },
        { { "!file", 5 }, TAG_FILE },
        { { "!", 1 }, TAG_STRING },
        { { "tag:yaml.org,2002:str", 21 }, TAG_STRING },
        { { "tag:yaml.org,2002:int", 21 }, TAG_PLAIN },
        { { "tag:yaml.org,2002:float", 23 }, TAG_PLAIN },
        { { "tag:yaml.org,2002:bool", 22 }, TAG_PLAIN },
        { { "tag:yaml.org,2002:null", 22 }, TAG_PLAIN },
        { { "tag:yaml.org,2002:map", 21 }, TAG_PLAIN },
        { { "tag:yaml.org,2002:seq", 21 }, TAG_PLAIN },
    };
    if (token == NULL) {
        return TAG_NONE;
    }
    *ret_text = token_text(builder, token);
    for (size_t i = 0; i < WEIR_COUNT(tags); i++) {
        if (weir_str_eq(*ret_text, tags[i].text)) {
            return tags[i].tag;
        }
    }
    return TAG_UNKNOWN;
}

/* The place of a tagged node is its tag's. */
static enum tag take_tag(struct builder *builder, struct fy_token *token, struct weir_conf *node)
{
    struct weir_str text = { 0 };
    enum tag tag = tag_of(builder, token, &text);
    const struct fy_mark *mark = token != NULL ? fy_token_start_mark(token) : NULL;
    if (mark != NULL) {
        place(builder, node, mark->input_pos);
    }
    if (tag == TAG_UNKNOWN) {
        weir_conf_error(builder->diagnostics, node, "unknown tag '%.*s' (known: !env, !file)",
                WEIR_STR_ARG(weir_conf_cut(text)));
    } else if ((tag == TAG_ENV || tag == TAG_FILE) && expects_name(builder)) {
        weir_conf_error(
                builder->diagnostics, node, "a name cannot come from %.*s", WEIR_STR_ARG(text));
        return TAG_UNKNOWN;
    }
    return tag;
}

static bool set_anchor(struct builder *builder, struct weir_str name, const struct entry *entry,
        struct weir_err *err)
{
    if (name.n == 0) {
        return true;
    }
    if (builder->anchor_count == WEIR_CONF_MAX_ANCHORS) {
        weir_conf_error(
                builder->diagnostics, &entry->node, "more than %d anchors", WEIR_CONF_MAX_ANCHORS);
        weir_fail(err, WEIR_E_TOO_LARGE, "configuration has more than %d anchors",
                WEIR_CONF_MAX_ANCHORS);
        return false;
    }
    if (builder->anchors == NULL) {
        builder->anchors = weir_alloc(WEIR_CONF_MAX_ANCHORS * sizeof(builder->anchors[0]));
    }
    builder->anchors[builder->anchor_count++] = (struct anchor){ name, *entry };
    return true;
}

static void resolve(struct builder *builder, enum tag tag, struct entry *entry)
{
    if (tag == TAG_ENV) {
        weir_conf_resolve_env(&builder->secrets, &entry->node);
    } else if (tag == TAG_FILE) {
        weir_conf_resolve_file(&builder->secrets, &entry->node);
    }
    if (entry->node.secret) {
        entry->height = 1;
    }
}

/* --- events ------------------------------------------------------------------------ */

static bool is_null(struct weir_str s)
{
    return s.n == 0 || weir_str_eq(s, WEIR_STR("~")) || weir_str_eq(s, WEIR_STR("null")) ||
           weir_str_eq(s, WEIR_STR("Null")) || weir_str_eq(s, WEIR_STR("NULL"));
}

/* The text, how it is written, and where; the place only when no tag gave it. */
static void take_text(
        struct builder *builder, struct fy_token *token, bool tagged, struct weir_conf *node)
{
    static const char styles[] = { [FYSS_SINGLE_QUOTED] = '\'',
        [FYSS_DOUBLE_QUOTED] = '"',
        [FYSS_LITERAL] = '|',
        [FYSS_FOLDED] = '>' };
    node->text = token_text(builder, token);
    if (!weir_str_is_utf8(node->text)) { /* the file is: so this is a fault of the parser */
        weir_conf_error(builder->diagnostics, node, "YAML: not understood: write it another way");
        node->text = WEIR_STR("");
    }
    enum fy_scalar_style style = token != NULL ? fy_token_scalar_style(token) : FYSS_PLAIN;
    node->style = '\0';
    if (style > FYSS_PLAIN && (size_t)style < sizeof(styles)) {
        node->style = styles[style];
    }
    node->quoted = node->style != 0;
    const struct fy_mark *start = token != NULL ? fy_token_start_mark(token) : NULL;
    const struct fy_mark *end = token != NULL ? fy_token_end_mark(token) : NULL;
    if (start == NULL || start->input_pos > builder->text.n) {
        return;
    }
    size_t begin = start->input_pos;
    size_t sign = begin;
    if (node->style == '|' || node->style == '>') {
        sign = block_sign(builder->text, begin);
    } else if (node->style != 0 && begin > 0) {
        sign--;
    }
    if (!tagged) {
        place(builder, node, sign);
        if (end != NULL && end->input_pos >= begin && end->input_pos <= builder->text.n) {
            node->raw = weir_str(builder->text.p + begin, end->input_pos - begin);
        }
    }
}

static bool on_scalar(struct builder *builder, struct fy_event *event, struct weir_err *err)
{
    struct entry entry = { .node = builder->last, .nodes = 1, .height = 1 };
    struct weir_conf *node = &entry.node;
    bool name = expects_name(builder);
    node->kind = WEIR_CONF_SCALAR;
    enum tag tag = take_tag(builder, event->scalar.tag, node);
    take_text(builder, event->scalar.value, tag != TAG_NONE, node);
    if (tag == TAG_STRING || tag == TAG_PLAIN) {
        node->quoted = tag == TAG_STRING;
    }
    builder->last = (struct weir_conf){ .line = node->line, .column = node->column };
    if (name && node->text.n == 0) {
        weir_conf_error(builder->diagnostics, node, "a name is missing");
    }
    if (!name && tag != TAG_ENV && tag != TAG_FILE && !node->quoted && is_null(node->text)) {
        node->kind = WEIR_CONF_NULL;
        node->text = (struct weir_str){ 0 };
    }
    if (!name) {
        resolve(builder, tag, &entry);
    }
    return add_nodes(builder, node, 1, err) &&
           set_anchor(builder, token_text(builder, event->scalar.anchor), &entry, err) &&
           push(builder, &entry, err);
}

/* Something to go on with in place of what was complained about. */
static void set_broken(struct weir_conf *node)
{
    *node = (struct weir_conf){
        .kind = WEIR_CONF_SCALAR,
        .line = node->line,
        .column = node->column,
        .text = WEIR_STR(""),
        .broken = true,
    };
}

/* Whether a name is of a list or map that is not finished. */
static bool is_open_anchor(const struct builder *builder, struct weir_str name)
{
    for (unsigned i = 0; i < builder->depth; i++) {
        if (name.n > 0 && weir_str_eq(builder->frames[i].anchor, name)) {
            return true;
        }
    }
    return false;
}

/* The newest value of a name, or NULL. */
static const struct entry *find_anchor(const struct builder *builder, struct weir_str name)
{
    for (size_t i = builder->anchor_count; i > 0; i--) {
        if (weir_str_eq(builder->anchors[i - 1].name, name)) {
            return &builder->anchors[i - 1].entry;
        }
    }
    return NULL;
}

static bool on_alias(struct builder *builder, struct fy_event *event, struct weir_err *err)
{
    struct weir_str name = token_text(builder, event->alias.anchor);
    struct entry entry = { .node = builder->last, .nodes = 1, .height = 1 };
    const struct fy_mark *mark = fy_token_start_mark(event->alias.anchor);
    if (mark != NULL) {
        place(builder, &entry.node, mark->input_pos > 0 ? mark->input_pos - 1 : 0);
    }
    builder->last = entry.node;
    const struct entry *target = find_anchor(builder, name);
    struct weir_str shown = weir_conf_cut(name);
    if (is_open_anchor(builder, name)) {
        weir_conf_error(builder->diagnostics, &entry.node,
                "alias '*%.*s' stands inside the very value it names", WEIR_STR_ARG(shown));
    } else if (target == NULL) {
        weir_conf_error(builder->diagnostics, &entry.node,
                "alias '*%.*s' names nothing: no '&%.*s' stands before it", WEIR_STR_ARG(shown),
                WEIR_STR_ARG(shown));
    } else if (expects_name(builder) &&
               (target->node.kind != WEIR_CONF_SCALAR || target->node.secret)) {
        weir_conf_error(builder->diagnostics, &entry.node, "a name must be a plain string");
    } else {
        entry = *target;
        return add_nodes(builder, &builder->last, entry.nodes, err) && push(builder, &entry, err);
    }
    set_broken(&entry.node);
    return add_nodes(builder, &builder->last, 1, err) && push(builder, &entry, err);
}

static bool on_begin(struct builder *builder, enum weir_conf_kind kind, struct fy_token *token,
        struct fy_token *tag, struct fy_token *anchor, struct weir_err *err)
{
    struct frame frame = { .node = builder->last, .base = builder->count };
    frame.node.kind = kind;
    const struct fy_mark *mark = token != NULL ? fy_token_start_mark(token) : NULL;
    frame.tag = take_tag(builder, tag, &frame.node);
    if (mark != NULL && frame.tag == TAG_NONE) {
        place(builder, &frame.node, mark->input_pos);
    }
    frame.anchor = token_text(builder, anchor);
    builder->last = (struct weir_conf){ .line = frame.node.line, .column = frame.node.column };
    if (expects_name(builder)) {
        weir_conf_error(builder->diagnostics, &frame.node, "a name must be a plain string, not %s",
                kind == WEIR_CONF_MAP ? "a map" : "a list");
    }
    if (builder->depth == WEIR_CONF_MAX_DEPTH) {
        weir_conf_error(builder->diagnostics, &frame.node, "nested more than %d levels deep",
                WEIR_CONF_MAX_DEPTH);
        weir_fail(err, WEIR_E_TOO_LARGE, "configuration is nested more than %d levels deep",
                WEIR_CONF_MAX_DEPTH);
        return false;
    }
    builder->frames[builder->depth++] = frame;
    return true;
}

/* --- finished lists and maps ---------------------------------------------------------- */

struct pair {
    const struct weir_conf *name;
    const struct weir_conf *value;
    size_t order;
    bool merged;
    bool dropped;
};

struct pairs {
    struct pair *all; /* owned */
    size_t count;
    size_t capacity;
};

static void add_pair(struct pairs *pairs, const struct weir_conf *name,
        const struct weir_conf *value, bool merged)
{
    if (pairs->count == pairs->capacity) {
        pairs->capacity = pairs->capacity == 0 ? 16 : pairs->capacity * 2;
        pairs->all = weir_realloc(pairs->all, pairs->capacity, sizeof(pairs->all[0]));
    }
    pairs->all[pairs->count] = (struct pair){ name, value, pairs->count, merged, false };
    pairs->count++;
}

static int compare_names(const void *a_, const void *b_)
{
    const struct pair *a = a_;
    const struct pair *b = b_;
    int c = weir_str_cmp(a->name->text, b->name->text);
    return c != 0 ? c : (a->order > b->order) - (a->order < b->order);
}

static int compare_order(const void *a_, const void *b_)
{
    const struct pair *a = a_;
    const struct pair *b = b_;
    return (a->order > b->order) - (a->order < b->order);
}

/* A merged name gives way to one that came before it; of the map's own only one may be. */
static void drop_repeats(struct builder *builder, struct pairs *pairs)
{
    if (pairs->count < 2) {
        return;
    }
    char shown[WEIR_CONF_SHOWN];
    qsort(pairs->all, pairs->count, sizeof(pairs->all[0]), compare_names);
    const struct pair *first = &pairs->all[0];
    for (size_t i = 1; i < pairs->count; i++) {
        struct pair *pair = &pairs->all[i];
        if (!weir_str_eq(first->name->text, pair->name->text)) {
            first = pair;
            continue;
        }
        pair->dropped = true;
        if (!pair->merged && pair->name->text.n > 0) {
            weir_conf_error(builder->diagnostics, pair->name,
                    "%s stands here twice: it is already at %u:%u",
                    weir_conf_show(pair->name, shown), first->name->line, first->name->column);
        }
    }
    qsort(pairs->all, pairs->count, sizeof(pairs->all[0]), compare_order);
}

static bool merge_map(struct builder *builder, struct pairs *pairs, const struct weir_conf *map)
{
    if (map->kind != WEIR_CONF_MAP) {
        return false;
    }
    if (map->count > WEIR_CONF_MAX_NODES - builder->nodes) {
        builder->nodes = WEIR_CONF_MAX_NODES;
        return true; /* the caller's check of the limit fails */
    }
    builder->nodes += (unsigned)map->count;
    for (size_t i = 0; i < map->count; i++) {
        add_pair(pairs, &map->names[i], &map->items[i], true);
    }
    return true;
}

static void merge(struct builder *builder, struct pairs *pairs, const struct weir_conf *name,
        const struct weir_conf *value)
{
    bool fits = value->kind == WEIR_CONF_LIST || merge_map(builder, pairs, value);
    for (size_t i = 0; value->kind == WEIR_CONF_LIST && i < value->count; i++) {
        fits = merge_map(builder, pairs, &value->items[i]) && fits;
    }
    if (!fits && !value->broken) {
        weir_conf_error(builder->diagnostics, name, "'<<' takes a map, or a list of maps");
    }
}

static bool is_merge(const struct weir_conf *name)
{
    return !name->quoted && weir_str_eq(name->text, WEIR_STR("<<"));
}

static void finish_map(struct builder *builder, const struct frame *frame, struct weir_conf *node)
{
    struct pairs pairs = { 0 };
    size_t end = builder->count - (builder->count - frame->base) % 2;
    for (size_t i = frame->base; i < end; i += 2) {
        if (!is_merge(&builder->entries[i].node)) {
            add_pair(&pairs, &builder->entries[i].node, &builder->entries[i + 1].node, false);
        }
    }
    for (size_t i = frame->base; i < end; i += 2) {
        if (is_merge(&builder->entries[i].node)) {
            merge(builder, &pairs, &builder->entries[i].node, &builder->entries[i + 1].node);
        }
    }
    drop_repeats(builder, &pairs);
    struct weir_conf *names = weir_arena_zero(builder->arena, pairs.count, sizeof(*names));
    struct weir_conf *items = weir_arena_zero(builder->arena, pairs.count, sizeof(*items));
    for (size_t i = 0; i < pairs.count; i++) {
        if (!pairs.all[i].dropped) {
            names[node->count] = *pairs.all[i].name;
            items[node->count++] = *pairs.all[i].value;
        }
    }
    node->names = names;
    node->items = items;
    weir_free(pairs.all);
}

static void finish_list(struct builder *builder, const struct frame *frame, struct weir_conf *node)
{
    size_t count = builder->count - frame->base;
    struct weir_conf *items = weir_arena_zero(builder->arena, count, sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        items[i] = builder->entries[frame->base + i].node;
    }
    node->items = items;
    node->count = count;
}

static bool on_end(struct builder *builder, struct weir_err *err)
{
    weir_assert(builder->depth > 0);
    struct frame frame = builder->frames[builder->depth - 1];
    struct entry entry = { .node = frame.node, .nodes = 1, .height = 1 };
    for (size_t i = frame.base; i < builder->count; i++) {
        const struct entry *child = &builder->entries[i];
        entry.nodes += child->nodes;
        entry.height = child->height + 1 > entry.height ? child->height + 1 : entry.height;
    }
    unsigned before = builder->nodes;
    if (frame.node.kind == WEIR_CONF_MAP) {
        finish_map(builder, &frame, &entry.node);
    } else {
        finish_list(builder, &frame, &entry.node);
    }
    entry.nodes += builder->nodes - before; /* merged members */
    builder->count = frame.base;
    builder->depth--;
    bool name = expects_name(builder);
    if (name) { /* complained about when it began */
        set_broken(&entry.node);
    } else {
        resolve(builder, frame.tag, &entry);
    }
    return add_nodes(builder, &entry.node, 1, err) &&
           set_anchor(builder, frame.anchor, &entry, err) && push(builder, &entry, err);
}

/* One event; false when parsing cannot go on, for a reason that is in diagnostics and err. */
static bool on_event(struct builder *builder, struct fy_event *event, struct weir_err *err)
{
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (builder->has_root) {
            const struct fy_mark *mark = fy_event_start_mark(event);
            struct weir_conf at = builder->last;
            if (mark != NULL) {
                place(builder, &at, mark->input_pos);
            }
            weir_conf_error(builder->diagnostics, &at,
                    "a second document begins here: a configuration file holds one");
            weir_fail(err, WEIR_E_INVALID, "configuration holds several documents");
            return false;
        }
        return true;
    case FYET_SCALAR:
        return on_scalar(builder, event, err);
    case FYET_ALIAS:
        return on_alias(builder, event, err);
    case FYET_MAPPING_START:
        return on_begin(builder, WEIR_CONF_MAP, event->mapping_start.mapping_start,
                event->mapping_start.tag, event->mapping_start.anchor, err);
    case FYET_SEQUENCE_START:
        return on_begin(builder, WEIR_CONF_LIST, event->sequence_start.sequence_start,
                event->sequence_start.tag, event->sequence_start.anchor, err);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return on_end(builder, err);
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        return true;
    }
    return true;
}

/* --- parsing --------------------------------------------------------------------------- */

static void be_silent(struct fy_diag *diag, void *user, const char *text, size_t n)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)n;
}

static struct fy_diag *diag_create(void)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.output_fn = be_silent;
    config.colorize = false;
    struct fy_diag *diag = fy_diag_create(&config);
    weir_assert(diag != NULL);
    fy_diag_set_collect_errors(diag, true);
    return diag;
}

/* Complain of what libfyaml found. */
static enum weir_rc take_errors(struct builder *builder, struct fy_diag *diag, struct weir_err *err)
{
    void *at = NULL;
    size_t count = 0;
    struct fy_diag_error *error = fy_diag_errors_iterate(diag, &at);
    for (; error != NULL; error = fy_diag_errors_iterate(diag, &at)) {
        if (error->type == FYET_ERROR && error->msg != NULL) {
            unsigned line = error->line > 0 ? (unsigned)error->line : 0;
            unsigned column = error->column > 0 ? (unsigned)error->column : 1;
            weir_conf_error_at(builder->diagnostics, line, column, "YAML: %s", error->msg);
            count++;
        }
    }
    if (count == 0) {
        weir_conf_error(builder->diagnostics, &builder->last, "YAML: not understood after here");
    }
    return weir_fail(err, WEIR_E_INVALID, "configuration is not valid YAML");
}

static enum weir_rc run(struct builder *builder, struct weir_err *err)
{
    struct fy_diag *diag = diag_create();
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
        .diag = diag,
    };
    struct fy_parser *parser = fy_parser_create(&config);
    weir_assert(parser != NULL);
    enum weir_rc rc = WEIR_OK;
    struct weir_err why = { 0 };
    int set = fy_parser_set_string(parser, builder->text.p, builder->text.n);
    while (set == 0 && rc == WEIR_OK) {
        struct fy_event *event = fy_parser_parse(parser);
        if (event == NULL) {
            break;
        }
        if (!on_event(builder, event, &why)) {
            rc = why.code;
        }
        fy_parser_event_free(parser, event);
    }
    if (rc != WEIR_OK) {
        if (err != NULL) {
            *err = why;
        }
    } else if (set != 0 || fy_parser_get_stream_error(parser)) {
        rc = take_errors(builder, diag, err);
    }
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return rc;
}

/* The first byte that is not text, or the text's length. */
static size_t find_bad_byte(struct weir_str text)
{
    size_t end = text.n;
    if (!weir_str_is_utf8(text)) {
        size_t n = 0;
        end = 0;
        while (weir_str_is_utf8(weir_str(text.p + end, n))) {
            end += n;
            n = weir_conf_char_bytes(weir_str(text.p + end, text.n - end));
        }
    }
    for (size_t i = 0; i < end; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool line_end = c == '\n' || (c == '\r' && text.p[i + 1] == '\n');
        if ((c < ' ' && !line_end && c != '\t') || c == 0x7f) {
            return i;
        }
    }
    return end;
}

/*
 * What must not reach the parser: bytes that are not text, and carriage returns on
 * their own, whose lines libfyaml measures wrongly inside double quotes; directives
 * and runs of empty lines, which take it quadratic time; and more of a flow list than fits, because
 * it keeps all of one in memory before it delivers the first event.
 */
static enum weir_rc check_text(struct builder *builder, struct weir_err *err)
{
    struct weir_str text = builder->text;
    struct weir_conf at = { 0 };
    size_t bad = find_bad_byte(text);
    if (bad < text.n) {
        place(builder, &at, bad);
        weir_conf_error(builder->diagnostics, &at,
                "byte 0x%02x does not belong here: expected UTF-8 text without control characters",
                (unsigned)(unsigned char)text.p[bad]);
        return weir_fail_at(err, WEIR_E_INVALID, bad, "configuration is not UTF-8 text");
    }
    size_t flow = 0;
    size_t blank = 0; /* line ends since the last character that is no white space */
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        flow += c == '[' || c == '{' || c == ',';
        blank += c == '\n';
        blank = strchr(" \t\r\n", c) != NULL ? blank : 0;
        if (blank > WEIR_CONF_MAX_BLANK) {
            place(builder, &at, i);
            weir_conf_error(builder->diagnostics, &at, "more than %d empty lines in a row",
                    WEIR_CONF_MAX_BLANK);
            return weir_fail_at(err, WEIR_E_TOO_LARGE, i,
                    "configuration has more than %d empty lines in a row", WEIR_CONF_MAX_BLANK);
        }
        if (c == '%' && (i == 0 || text.p[i - 1] == '\n')) {
            place(builder, &at, i);
            weir_conf_error(builder->diagnostics, &at,
                    "YAML directives are not supported: remove the line that begins with %%");
            return weir_fail_at(err, WEIR_E_INVALID, i, "configuration has a YAML directive");
        }
    }
    if (flow > WEIR_CONF_MAX_FLOW) {
        weir_conf_error(builder->diagnostics, NULL, "more than %d brackets, braces and commas",
                WEIR_CONF_MAX_FLOW);
        return weir_fail(err, WEIR_E_TOO_LARGE,
                "configuration has more than %d brackets, braces and commas", WEIR_CONF_MAX_FLOW);
    }
    return WEIR_OK;
}

static enum weir_rc build(
        struct builder *builder, const struct weir_conf **ret_root, struct weir_err *err)
{
    size_t errors = builder->diagnostics->errors;
    enum weir_rc rc = check_text(builder, err);
    if (rc == WEIR_OK) {
        rc = run(builder, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_conf *root = WEIR_ARENA_NEW(builder->arena, struct weir_conf);
    *root = builder->has_root
                    ? builder->root.node
                    : (struct weir_conf){ .kind = WEIR_CONF_NULL, .line = 1, .column = 1 };
    *ret_root = root;
    if (builder->diagnostics->errors > errors) {
        return weir_fail(err, WEIR_E_INVALID, "configuration has errors");
    }
    return WEIR_OK;
}

enum weir_rc weir_conf_parse_in(struct weir_arena *arena, struct weir_str text,
        struct weir_str folder, struct weir_diagnostics *diagnostics,
        const struct weir_conf **ret_root, struct weir_err *err)
{
    if (text.n > WEIR_CONF_MAX_TEXT) {
        weir_conf_error(diagnostics, NULL, "larger than %d MiB", WEIR_CONF_MAX_TEXT >> 20);
        return weir_fail(err, WEIR_E_TOO_LARGE, "configuration is larger than %d MiB",
                WEIR_CONF_MAX_TEXT >> 20);
    }
    if (weir_str_starts(text, WEIR_STR("\xef\xbb\xbf"))) {
        text = weir_str(text.p + 3, text.n - 3); /* a byte order mark */
    }
    struct builder *builder = weir_alloc_zero(1, sizeof(*builder));
    builder->arena = arena;
    builder->diagnostics = diagnostics;
    builder->secrets = (struct weir_conf_secrets){ arena, diagnostics, folder };
    builder->text = weir_arena_str(arena, text);
    builder->cursor = (struct cursor){ .line = 1, .column = 1 };
    builder->last = (struct weir_conf){ .line = 1, .column = 1 };
    enum weir_rc rc = build(builder, ret_root, err);
    weir_free(builder->entries);
    weir_free(builder->anchors);
    weir_free(builder);
    return rc;
}

enum weir_rc weir_conf_parse(struct weir_arena *arena, struct weir_str text,
        struct weir_diagnostics *diagnostics, const struct weir_conf **ret_root,
        struct weir_err *err)
{
    return weir_conf_parse_in(
            arena, text, weir_conf_folder(diagnostics->file), diagnostics, ret_root, err);
}

const struct weir_conf *weir_conf_get(const struct weir_conf *map, const char *name)
{
    if (map == NULL || map->kind != WEIR_CONF_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < map->count; i++) {
        if (weir_str_eq(map->names[i].text, weir_str_z(name))) {
            return &map->items[i];
        }
    }
    return NULL;
}
