/* Fills the slots from an event's JSON in one pass, led by the tree of names. */
#include "pattern/pattern_int.h"

struct reader {
    const struct weir_pattern_set *set;
    struct weir_pattern_scratch *scratch;
    struct weir_json json;
    struct weir_pattern_frame *frame; /* the innermost object or array */
    uint64_t arrays;                  /* how many were entered: the identity of the next */
};

static bool leads_on(const struct reader *reader, uint32_t node)
{
    return node != WEIR_PATTERN_NONE && reader->set->nodes[node].count > 0;
}

/* The node of a member's name: its segments, when it has dots, lead down one by one. */
static uint32_t find_member(const struct reader *reader, uint32_t from, struct weir_str name)
{
    const struct weir_pattern_set *set = reader->set;
    uint32_t node = weir_pattern_find_child(&set->nodes[from], name);
    if (node != WEIR_PATTERN_NONE || name.n == 0) {
        return node;
    }
    const char *dot = memchr(name.p, '.', name.n);
    node = from;
    while (dot != NULL && node != WEIR_PATTERN_NONE) {
        size_t n = (size_t)(dot - name.p);
        node = weir_pattern_find_child(&set->nodes[node], weir_str(name.p, n));
        name = weir_str(dot + 1, name.n - n - 1);
        dot = name.n > 0 ? memchr(name.p, '.', name.n) : NULL;
    }
    return node == from || node == WEIR_PATTERN_NONE
                   ? WEIR_PATTERN_NONE
                   : weir_pattern_find_child(&set->nodes[node], name);
}

static void add_leaf(
        struct reader *reader, uint32_t node, enum weir_json_token token, uint32_t member)
{
    uint32_t path = reader->set->nodes[node].path;
    if (path == WEIR_PATTERN_NONE) {
        return;
    }
    static const enum weir_pattern_leaf_kind kinds[] = {
        [WEIR_JSON_STRING] = WEIR_PATTERN_LEAF_STRING,
        [WEIR_JSON_NUMBER] = WEIR_PATTERN_LEAF_NUMBER,
        [WEIR_JSON_TRUE] = WEIR_PATTERN_LEAF_TRUE,
        [WEIR_JSON_FALSE] = WEIR_PATTERN_LEAF_FALSE,
        [WEIR_JSON_NULL] = WEIR_PATTERN_LEAF_NULL,
    };
    struct weir_pattern_slot *slot = weir_pattern_slot(reader->set, reader->scratch, path);
    struct weir_pattern_leaf *leaf =
            weir_pattern_add_leaf(reader->scratch, slot, kinds[token], member);
    if (token == WEIR_JSON_STRING) {
        leaf->text = reader->json.text;
    } else if (token == WEIR_JSON_NUMBER) {
        leaf->text = reader->json.text;
        leaf->comparable = weir_pattern_number(leaf->text, &leaf->number);
    }
}

/* A value of a node (NONE: nobody asks for it). The token is its first. */
static bool take_value(
        struct reader *reader, uint32_t node, enum weir_json_token token, uint32_t member)
{
    if (node == WEIR_PATTERN_NONE || (token == WEIR_JSON_OBJECT && !leads_on(reader, node))) {
        return weir_json_skip(&reader->json, token, NULL) == WEIR_OK;
    }
    if (token != WEIR_JSON_OBJECT && token != WEIR_JSON_ARRAY) {
        add_leaf(reader, node, token, member);
        return true;
    }
    reader->frame++;
    *reader->frame = (struct weir_pattern_frame){
        .node = node, .member = member, .array = token == WEIR_JSON_ARRAY, .id = reader->arrays++
    };
    return true;
}

/* Handle one token inside the innermost frame; false when the reader failed. */
static bool take_token(struct reader *reader, enum weir_json_token token)
{
    struct weir_pattern_frame *frame = reader->frame;
    if (token == WEIR_JSON_OBJECT_END || token == WEIR_JSON_ARRAY_END) {
        reader->frame--;
        return true;
    }
    if (!frame->array) {
        uint32_t node = find_member(reader, frame->node, reader->json.text);
        if (node == WEIR_PATTERN_NONE) {
            return weir_json_skip(&reader->json, token, NULL) == WEIR_OK;
        }
        token = weir_json_next(&reader->json);
        return token != WEIR_JSON_ERROR && take_value(reader, node, token, frame->member);
    }
    /* A plain value stands where its array does: AWS's engine numbers objects and arrays only. */
    uint32_t member = frame->member;
    uint32_t index = frame->index++;
    if (token == WEIR_JSON_OBJECT || token == WEIR_JSON_ARRAY) {
        member = weir_pattern_add_member(reader->scratch, frame->id, index, member);
    }
    return take_value(reader, frame->node, token, member);
}

enum weir_rc weir_pattern_read_event(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, struct weir_str json, struct weir_err *err)
{
    struct reader reader = { .set = set, .scratch = scratch };
    weir_json_init(&reader.json, json, &scratch->arena, WEIR_JSON_MAX_DEPTH);
    enum weir_json_token token = weir_json_next(&reader.json);
    if (token != WEIR_JSON_OBJECT && token != WEIR_JSON_ERROR) {
        return weir_fail_at(err, WEIR_E_INVALID, reader.json.pos,
                "event: expected an object, found %s", weir_json_token_name(token));
    }
    bool good = token == WEIR_JSON_OBJECT;
    if (good && !leads_on(&reader, 0)) { /* no pattern asks for anything */
        good = weir_json_skip(&reader.json, token, NULL) == WEIR_OK;
    } else if (good) {
        struct weir_pattern_frame *bottom = scratch->frames + 1; /* the one below says: done */
        reader.frame = bottom;
        *bottom = (struct weir_pattern_frame){ .node = 0, .id = reader.arrays++ };
        while (good && reader.frame >= bottom) {
            token = weir_json_next(&reader.json);
            good = token != WEIR_JSON_ERROR && take_token(&reader, token);
        }
    }
    if (good && weir_json_next(&reader.json) == WEIR_JSON_END) {
        return WEIR_OK;
    }
    return weir_fail_at(err, WEIR_E_INVALID, reader.json.err.pos, "event: %s", reader.json.err.msg);
}
