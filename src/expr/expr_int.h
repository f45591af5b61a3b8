/* What the expression module's own files share; nobody else includes it. */
#ifndef WEIR_EXPR_EXPR_INT_H
#define WEIR_EXPR_EXPR_INT_H

#include "base/buf.h"
#include "base/calendar.h"
#include "base/zone.h"
#include "expr/expr.h"
#include "expr/regex.h"

#define WEIR_LIKELY(cond)   __builtin_expect(!!(cond), 1)
#define WEIR_UNLIKELY(cond) __builtin_expect(!!(cond), 0)

/* --- tokens (lex.c) ------------------------------------------------------ */

enum weir_token_kind {
    WEIR_TOKEN_END,
    WEIR_TOKEN_IDENT,  /* text */
    WEIR_TOKEN_QUOTED, /* `name`: text without the quotes */
    WEIR_TOKEN_INT,    /* number */
    WEIR_TOKEN_UINT,   /* number */
    WEIR_TOKEN_FLOAT,  /* text */
    WEIR_TOKEN_STRING, /* text, decoded */
    WEIR_TOKEN_BYTES,  /* text, decoded */
    WEIR_TOKEN_PUNCT,  /* punct */
};

/* Two-byte operators are the two bytes: PUNCT('=', '='). */
#define WEIR_PUNCT(a, b) (((a) << 8) | (b))

struct weir_token {
    enum weir_token_kind kind;
    int punct;       /* one byte, or WEIR_PUNCT */
    size_t pos;      /* of its first byte */
    size_t end;      /* behind its last byte */
    uint64_t number; /* magnitude */
    struct weir_str text;
};

struct weir_lexer {
    struct weir_str text;
    size_t at;
    struct weir_arena *arena; /* for decoded strings */
};

/* Read the next token. Errors: WEIR_E_INVALID with the position. */
WEIR_MUST_CHECK enum weir_rc weir_lex_next(
        struct weir_lexer *lexer, struct weir_token *ret_token, struct weir_err *err);

/* --- the compiled tree --------------------------------------------------- */

enum weir_op {
    WEIR_OP_CONST,
    WEIR_OP_IDENT,  /* before resolving: name, flag ROOT */
    WEIR_OP_SELECT, /* args[0].name */
    WEIR_OP_CALL,   /* function; before resolving: name, flag METHOD: args[0] is the target */
    WEIR_OP_VAR,    /* slot */
    WEIR_OP_PATH,   /* slot, then names[0..count) */
    WEIR_OP_LOCAL,  /* slot: a macro's variable */
    WEIR_OP_NOW,
    WEIR_OP_CLOCK,
    WEIR_OP_OPT_SELECT, /* args[0].?name */
    WEIR_OP_INDEX,      /* args[0][args[1]] */
    WEIR_OP_OPT_INDEX,  /* args[0][?args[1]] */
    WEIR_OP_HAS,        /* has(args[0].name) */
    WEIR_OP_HAS_VAR,    /* has(variable): slot */
    WEIR_OP_LIST,       /* args; optional[i] says which begin with ? */
    WEIR_OP_MAP,        /* args in pairs */
    WEIR_OP_NOT,
    WEIR_OP_NEG,
    WEIR_OP_ADD,
    WEIR_OP_SUB,
    WEIR_OP_MUL,
    WEIR_OP_DIV,
    WEIR_OP_REM,
    WEIR_OP_EQ,
    WEIR_OP_NE,
    WEIR_OP_LT,
    WEIR_OP_LE,
    WEIR_OP_GT,
    WEIR_OP_GE,
    WEIR_OP_IN,
    WEIR_OP_AND, /* args, two or more */
    WEIR_OP_OR,
    WEIR_OP_COND, /* args[0] ? args[1] : args[2] */
    /* Macros: args[0] is the range, args[1] the body, args[2] the filter if any. */
    WEIR_OP_ALL,
    WEIR_OP_EXISTS,
    WEIR_OP_EXISTS_ONE,
    WEIR_OP_FILTER,
    WEIR_OP_MAP_LIST,      /* map, transformList */
    WEIR_OP_MAP_MAP,       /* transformMap */
    WEIR_OP_MAP_MAP_ENTRY, /* transformMapEntry */
    WEIR_OP_BIND,          /* args[0] is the value, args[1] the body */
    WEIR_OP_OPT_MAP,       /* args[0] is the optional, args[1] the body */
    WEIR_OP_OPT_FLAT_MAP,
    WEIR_OP_OPT_OR,
    WEIR_OP_OPT_OR_VALUE,
    WEIR_OP_FAIL, /* an unknown name of an open environment */
};

enum {
    WEIR_NODE_ROOT = 1,   /* IDENT: written with a leading dot */
    WEIR_NODE_METHOD = 2, /* CALL: written as a method */
    WEIR_NODE_PAREN = 4,  /* in parentheses: && and || are not joined across them */
};

struct weir_function;

struct weir_node {
    uint8_t op; /* enum weir_op */
    uint8_t flags;
    uint16_t depth;
    uint32_t pos;   /* byte offset in the source, for errors */
    uint32_t count; /* of args, or of names */
    int32_t slot;   /* VAR, PATH, LOCAL; macros: of the first variable */
    int32_t slot2;  /* macros: of the second variable, or -1 */
    struct weir_node **args;
    union {
        struct weir_str name;
        struct weir_str *names;
        const struct weir_function *function;
        struct weir_str variables[2]; /* macros before resolving */
        bool *optional;
        struct weir_expr_value constant;
    } as;
    const struct weir_regex *regex; /* CALL of matches with a constant pattern */
};

/* Parse into an arena; text must outlive the tree. Errors: as weir_expr_compile. */
WEIR_MUST_CHECK enum weir_rc weir_expr_parse(struct weir_arena *arena, struct weir_str text,
        struct weir_node **ret_root, struct weir_err *err);

struct weir_expr {
    struct weir_arena arena; /* everything below */
    struct weir_str source;
    struct weir_node *root;
    uint32_t local_count; /* macro variables alive at once */
    bool uses_clock;
    bool uses_now;
    size_t slot_count;
    uint64_t uses[(WEIR_EXPR_MAX_SLOTS + 63) / 64];
};

/* --- evaluation ---------------------------------------------------------- */

/* Why evaluation failed: formatted only when somebody asks. */
struct weir_failure {
    const struct weir_node *at;
    const char *form;     /* has one %.*s for text */
    struct weir_str text; /* the arena's or the source's */
};

struct weir_run {
    const struct weir_expr_frame *frame;
    struct weir_arena *arena;
    struct weir_expr_value *locals;
    const struct weir_node *at; /* of the function being called, for errors */
    uint64_t steps;             /* left */
    size_t limit_bytes;         /* of arena->used_bytes */
    enum weir_rc rc;
    struct weir_failure failure;
};

/* Evaluate a node; false: run->rc and run->failure say why. */
WEIR_MUST_CHECK bool weir_eval(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret);

/* Evaluate a macro (macro.c). */
WEIR_MUST_CHECK bool weir_eval_macro(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret);

/* Fail with a message; always false, so that failing is one statement. */
WEIR_PRINTF(2, 3) bool weir_run_fail(struct weir_run *run, const char *fmt, ...);

/* Fail with form, which has one %.*s, and text kept as it is: cheap, for what && and || absorb. */
bool weir_run_fail_text(struct weir_run *run, const char *form, struct weir_str text);

/* Fail because a limit was passed. */
bool weir_run_fail_limit(struct weir_run *run, const char *what);

/* Pay for work that one node does beyond being visited. */
static inline bool weir_run_pay(struct weir_run *run, uint64_t steps)
{
    if (WEIR_UNLIKELY(run->steps < steps)) {
        return weir_run_fail_limit(run, "steps");
    }
    run->steps -= steps;
    return true;
}

/* Memory for a result, or NULL after failing because of the limit on bytes. */
void *weir_run_alloc(struct weir_run *run, size_t size);

/* --- functions ----------------------------------------------------------- */

struct weir_call {
    struct weir_run *run;
    const struct weir_node *node;
    const struct weir_expr_value *args; /* a method's target first */
    size_t count;
};

enum { WEIR_FN_GLOBAL = 1, WEIR_FN_METHOD = 2 };

struct weir_function {
    const char *name; /* "size", "math.abs" */
    unsigned char how;
    unsigned char least; /* arguments, a method's target counted */
    unsigned char most;  /* 255: any number */
    bool (*call)(const struct weir_call *call, struct weir_expr_value *ret);
};

/* A function by name, kind of call and number of arguments; NULL if there is none. */
const struct weir_function *weir_function_find(struct weir_str name, unsigned how, size_t count);

/* The nearest function name for "did you mean", or NULL. */
const char *weir_function_nearest(struct weir_str name);

/* Tables of functions, each ended by an entry without a name. */
extern const struct weir_function weir_functions_core[];
extern const struct weir_function weir_functions_string[];
extern const struct weir_function weir_functions_math[];
extern const struct weir_function weir_functions_time[];
extern const struct weir_function weir_functions_net[];
extern const struct weir_function weir_functions_list[];

/* matches() uses this one; the resolver compiles its constant pattern ahead. */
bool weir_fn_matches(const struct weir_call *call, struct weir_expr_value *ret);

/* "".format(list) (format.c). */
bool weir_fn_format(const struct weir_call *call, struct weir_expr_value *ret);

/* Fail because no overload takes these types; always false. */
bool weir_call_no_overload(const struct weir_call *call);

/* --- operators (ops.c) --------------------------------------------------- */

bool weir_op_arithmetic(struct weir_run *run, enum weir_op op, const struct weir_expr_value *a,
        const struct weir_expr_value *b, struct weir_expr_value *ret);
bool weir_op_negate(
        struct weir_run *run, const struct weir_expr_value *a, struct weir_expr_value *ret);

/* Order; false after failing when the two kinds do not order. 2 stands for unordered (NaN). */
bool weir_op_compare(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, int *ret_order);

/* Order of two numbers of any kind on one line: -1, 0, 1, or 2 with a NaN. */
int weir_number_compare(const struct weir_expr_value *a, const struct weir_expr_value *b);

/* Equality that pays steps for the size of what it walks. */
bool weir_op_equal(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool *ret_equal);

/* Whether a is in b (list, set or map). */
bool weir_op_in(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, struct weir_expr_value *ret);

static inline bool weir_kind_is_number(uint8_t kind)
{
    return kind >= WEIR_EXPR_INT && kind <= WEIR_EXPR_DECIMAL;
}

/* An int, uint, integral double or integral decimal as an int64; false otherwise. */
bool weir_number_to_index(const struct weir_expr_value *value, int64_t *ret_index);

/* --- values (value.c) ---------------------------------------------------- */

/*
 * Setting a result field by field. Compilers build a struct that is assigned whole in
 * memory first and then copy it with wider loads than it was stored with, which stalls; on
 * the way of every value that is most of the time.
 */
static inline void weir_set_head(struct weir_expr_value *ret, uint8_t kind)
{
    ret->kind = kind;
    ret->form = WEIR_EXPR_BUILT;
    ret->type = 0;
    ret->scale = 0;
    ret->exact = NULL;
}

static inline void weir_set_bool(struct weir_expr_value *ret, bool value)
{
    weir_set_head(ret, WEIR_EXPR_BOOL);
    ret->as.boolean = value;
}

static inline void weir_set_int(struct weir_expr_value *ret, int64_t value)
{
    weir_set_head(ret, WEIR_EXPR_INT);
    ret->as.integer = value;
}

static inline void weir_set_uint(struct weir_expr_value *ret, uint64_t value)
{
    weir_set_head(ret, WEIR_EXPR_UINT);
    ret->as.natural = value;
}

static inline void weir_set_double(struct weir_expr_value *ret, double value)
{
    weir_set_head(ret, WEIR_EXPR_DOUBLE);
    ret->as.real = value;
}

static inline void weir_set_decimal(struct weir_expr_value *ret, struct weir_decimal value)
{
    weir_set_head(ret, WEIR_EXPR_DECIMAL);
    ret->scale = value.exponent;
    ret->as.coefficient = value.coefficient;
}

static inline void weir_set_string(struct weir_expr_value *ret, struct weir_str text)
{
    weir_set_head(ret, WEIR_EXPR_STRING);
    ret->as.str = text;
}

static inline void weir_set_bytes(struct weir_expr_value *ret, struct weir_str bytes)
{
    weir_set_head(ret, WEIR_EXPR_BYTES);
    ret->as.str = bytes;
}

struct weir_expr_pair {
    struct weir_expr_value key;
    struct weir_expr_value value;
};

/* A built map: pairs in the order they were given, with an index when there are many. */
struct weir_expr_map {
    size_t count;
    struct weir_expr_pair *pairs;
    uint32_t *index; /* pair number + 1 by hash, 0 for empty; NULL: search in order */
    size_t mask;     /* of index */
};

/* Builds a map whose number of pairs is known ahead. */
struct weir_map_builder {
    struct weir_expr_map *map;
};

bool weir_map_begin(struct weir_run *run, size_t capacity, struct weir_map_builder *ret);
/* Fails on a key that is there already or of a type that cannot be one. */
bool weir_map_add(struct weir_run *run, struct weir_map_builder *builder,
        const struct weir_expr_value *key, const struct weir_expr_value *value);
struct weir_expr_value weir_map_end(const struct weir_map_builder *builder);

/* The value of a key; kind ABSENT when there is none. */
struct weir_expr_value weir_map_get(
        const struct weir_expr_value *map, const struct weir_expr_value *key);

/* A set of the list's elements, sorted and distinct; fails on mixed or other types. */
bool weir_set_make(
        struct weir_run *run, const struct weir_expr_value *list, struct weir_expr_value *ret);

/* As weir_expr_attribute, but in place: this is what reading a field costs. */
void weir_attribute_read(struct weir_value value, struct weir_expr_value *ret);

struct weir_expr_value weir_expr_type(const char *name);
struct weir_expr_value weir_expr_optional(const struct weir_expr_value *inner);

/* The type value that a name stands for in source ("int", "net.IP"); false if none. */
bool weir_type_by_name(struct weir_str name, struct weir_expr_value *ret);

/* --- text (text.c, time.c, net.c) ---------------------------------------- */

enum { WEIR_DOUBLE_TEXT = 40, WEIR_TIMESTAMP_TEXT = 40, WEIR_DURATION_TEXT = 32 };

/* The shortest text that reads back as the double; "NaN", "Infinity". Returns the length. */
size_t weir_double_format(double value, char text[static WEIR_DOUBLE_TEXT]);

/* The number of code points; the bytes that the first n of them take (SIZE_MAX: fewer there). */
size_t weir_utf8_count(struct weir_str text);
size_t weir_utf8_offset(struct weir_str text, size_t n);

/* Decode the code point at text.p[*at] (valid UTF-8) and move behind it. */
uint32_t weir_utf8_next(struct weir_str text, size_t *at);

/* Write a code point; returns 1 to 4. */
size_t weir_utf8_put(uint32_t point, char out[static 4]);

/* string(): false after failing when the value has no text form. */
bool weir_value_text(
        struct weir_run *run, const struct weir_expr_value *value, struct weir_str *ret_text);

struct weir_moment {
    int64_t seconds; /* since 1970 */
    int32_t ns;
};

size_t weir_timestamp_format(struct weir_moment moment, char text[static WEIR_TIMESTAMP_TEXT]);
bool weir_timestamp_parse(struct weir_str text, struct weir_moment *ret_moment);
bool weir_timestamp_in_range(struct weir_moment moment);
size_t weir_duration_format(int64_t ns, char text[static WEIR_DURATION_TEXT]);
bool weir_duration_parse(struct weir_str text, int64_t *ret_ns);

enum { WEIR_IP_TEXT = 64 };

bool weir_ip_parse(struct weir_str text, struct weir_expr_value *ret);
bool weir_cidr_parse(struct weir_str text, struct weir_expr_value *ret);
size_t weir_ip_format(const struct weir_expr_value *value, char text[static WEIR_IP_TEXT]);

#endif
