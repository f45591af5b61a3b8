/* What the files of the expression language share: tokens, the parser, nodes and path trees. */
#ifndef WEIR_TABLE_EXPRESSION_INT_H
#define WEIR_TABLE_EXPRESSION_INT_H

#include <stdint.h>

#include "table/expression.h"

/* --- tokens -------------------------------------------------------------- */

enum weir_ddb_token_kind {
    WEIR_DDB_T_NONE, /* before the first token */
    WEIR_DDB_T_END,
    WEIR_DDB_T_IDENTIFIER,
    WEIR_DDB_T_NAME,  /* #n */
    WEIR_DDB_T_VALUE, /* :v */
    WEIR_DDB_T_NUMBER,
    WEIR_DDB_T_OPEN,
    WEIR_DDB_T_CLOSE,
    WEIR_DDB_T_OPEN_INDEX,
    WEIR_DDB_T_CLOSE_INDEX,
    WEIR_DDB_T_COMMA,
    WEIR_DDB_T_DOT,
    WEIR_DDB_T_PLUS,
    WEIR_DDB_T_MINUS,
    WEIR_DDB_T_EQ,
    WEIR_DDB_T_NE,
    WEIR_DDB_T_LT,
    WEIR_DDB_T_LE,
    WEIR_DDB_T_GT,
    WEIR_DDB_T_GE,
    /* Words of the condition grammar. */
    WEIR_DDB_T_AND,
    WEIR_DDB_T_OR,
    WEIR_DDB_T_NOT,
    WEIR_DDB_T_IN,
    WEIR_DDB_T_BETWEEN,
    /* Words of the update grammar. */
    WEIR_DDB_T_SET,
    WEIR_DDB_T_REMOVE,
    WEIR_DDB_T_ADD,
    WEIR_DDB_T_DELETE,
    WEIR_DDB_T_OTHER, /* a character that belongs to no token */
};

struct weir_ddb_token {
    enum weir_ddb_token_kind kind;
    struct weir_str text; /* in the expression */
};

/* --- faults -------------------------------------------------------------- */

/*
 * What can be wrong with an expression whose syntax is right. DynamoDB reports by
 * kind of fault before place, so the first of each kind is kept while parsing and
 * the one to report is chosen at the end.
 */
enum weir_ddb_fault {
    WEIR_DDB_FAULT_PARENTHESES,
    WEIR_DDB_FAULT_FUNCTION_NAME,
    WEIR_DDB_FAULT_MISUSED_FUNCTION,
    WEIR_DDB_FAULT_RESERVED,
    WEIR_DDB_FAULT_LIMIT,
    WEIR_DDB_FAULT_IN_CONDITION, /* of the four below, in the first condition that has one */
    WEIR_DDB_FAULT_UNDEFINED,
    WEIR_DDB_FAULT_OPERAND_COUNT,
    WEIR_DDB_FAULT_SAME_OPERAND,
    WEIR_DDB_FAULT_OPERAND_TYPE,
    WEIR_DDB_FAULT_UNDEFINED_VALUE, /* where values are reported after names */
    WEIR_DDB_FAULT_SECTION,
    WEIR_DDB_FAULT_OVERLAP,
    WEIR_DDB_FAULT_CONFLICT,
    WEIR_DDB_FAULT_ACTION_OPERAND,
    WEIR_DDB_FAULT_COUNT,
};

/* --- nodes --------------------------------------------------------------- */

/* One step of a document path: a map's member, or (name.p NULL) a list's element. */
struct weir_ddb_step {
    struct weir_str name;
    size_t index;
};

struct weir_ddb_path {
    const struct weir_ddb_step *steps; /* the first one is a name */
    size_t count;
};

enum weir_ddb_node_kind {
    /* Operands. */
    WEIR_DDB_PATH,
    WEIR_DDB_LITERAL,
    WEIR_DDB_SIZE,
    WEIR_DDB_IF_NOT_EXISTS,
    WEIR_DDB_LIST_APPEND,
    WEIR_DDB_PLUS,
    WEIR_DDB_MINUS,
    /* Conditions. */
    WEIR_DDB_EQ,
    WEIR_DDB_NE,
    WEIR_DDB_LT,
    WEIR_DDB_LE,
    WEIR_DDB_GT,
    WEIR_DDB_GE,
    WEIR_DDB_BETWEEN,
    WEIR_DDB_IN,
    WEIR_DDB_AND,
    WEIR_DDB_OR,
    WEIR_DDB_NOT,
    WEIR_DDB_EXISTS,
    WEIR_DDB_NOT_EXISTS,
    WEIR_DDB_IS_TYPE,
    WEIR_DDB_BEGINS_WITH,
    WEIR_DDB_CONTAINS,
    WEIR_DDB_UNKNOWN_FUNCTION, /* never outlives the parser: a fault is recorded */
};

struct weir_ddb_node {
    enum weir_ddb_node_kind kind;
    bool in_parentheses; /* as written; parser only */
    uint32_t count;      /* of operands */
    union {
        struct weir_ddb_path path;
        struct weir_value literal;       /* ABSENT: undefined, with a fault recorded */
        struct weir_ddb_node **operands; /* of all other kinds */
    };
    struct weir_str word; /* functions and operators: as DynamoDB names them in messages */
};

struct weir_ddb_condition {
    const struct weir_ddb_node *root;
    const struct weir_ddb_head *heads; /* newest first */
};

/* A document path's first attribute, as a list of those in an expression. */
struct weir_ddb_head {
    const struct weir_ddb_head *next;
    struct weir_str name;
};

/* --- parser -------------------------------------------------------------- */

struct weir_ddb_parser {
    struct weir_arena *arena;
    struct weir_ddb_context *context;
    struct weir_str text;
    enum weir_ddb_expression_kind kind;
    size_t at;                      /* behind token */
    struct weir_ddb_token token;    /* the one to look at */
    struct weir_ddb_token previous; /* the one before, for messages */
    unsigned operators;
    unsigned depth;
    const struct weir_ddb_head *heads;
    struct weir_str faults[WEIR_DDB_FAULT_COUNT]; /* p NULL: none */
    struct weir_err *err;
    enum weir_rc rc; /* set once syntax is wrong; parsing stops */
};

/* Begin: checks the text's size and reads the first token. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_ddb_parser_init(struct weir_ddb_parser *parser,
        struct weir_arena *arena, enum weir_ddb_expression_kind kind, struct weir_str text,
        struct weir_ddb_context *context, struct weir_err *err);

/* Move to the next token. */
void weir_ddb_advance(struct weir_ddb_parser *parser);

/* The kind of the token behind the one to look at. */
enum weir_ddb_token_kind weir_ddb_peek(const struct weir_ddb_parser *parser);

/* Move on if the token is of a kind. */
bool weir_ddb_accept(struct weir_ddb_parser *parser, enum weir_ddb_token_kind kind);

/* As weir_ddb_accept, but anything else is a syntax error. */
bool weir_ddb_expect(struct weir_ddb_parser *parser, enum weir_ddb_token_kind kind);

/* The token cannot stand here: set rc and err. */
void weir_ddb_syntax_error(struct weir_ddb_parser *parser);

/* Record a fault unless there is one of its kind. */
WEIR_PRINTF(3, 4)
void weir_ddb_record(
        struct weir_ddb_parser *parser, enum weir_ddb_fault fault, const char *fmt, ...);

/* Count one operator or function towards the limit. */
void weir_ddb_count_operator(struct weir_ddb_parser *parser);

/* The expression is read: give its rc, the syntax error's or the fault's to report. Errors:
 * WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_ddb_parser_finish(struct weir_ddb_parser *parser);

/* The attribute that a #name token stands for; a fault and an empty name when there is none. */
struct weir_str weir_ddb_resolve_name(struct weir_ddb_parser *parser, struct weir_str key);

/* The value of a :value token; a fault and an ABSENT one when there is none. */
struct weir_value weir_ddb_resolve_value(struct weir_ddb_parser *parser, struct weir_str key);

/* Parse a document path, with prefix's steps (may be empty) before it. False: syntax error. */
bool weir_ddb_parse_path(struct weir_ddb_parser *parser, struct weir_ddb_path prefix,
        struct weir_ddb_path *ret_path);

/* Parse an operand: a path, a value or a function call. NULL: syntax error. */
struct weir_ddb_node *weir_ddb_parse_operand(struct weir_ddb_parser *parser);

/* Parse an update's right-hand side: an operand, or two with + or - between. NULL: syntax error. */
struct weir_ddb_node *weir_ddb_parse_sum(struct weir_ddb_parser *parser);

/* Parse a whole condition with its faults. NULL: syntax error. */
struct weir_ddb_node *weir_ddb_parse_condition(struct weir_ddb_parser *parser);

/* A node of count operands; the arena's. */
struct weir_ddb_node *weir_ddb_node_new(struct weir_ddb_parser *parser,
        enum weir_ddb_node_kind kind, struct weir_str word, uint32_t count);

/* Check a condition's function call, an operator's operands: record faults. */
void weir_ddb_check_condition_function(
        struct weir_ddb_parser *parser, const struct weir_ddb_node *node);
void weir_ddb_check_comparison(struct weir_ddb_parser *parser, const struct weir_ddb_node *node);

/* Check an update's function call or + and -: record faults. */
void weir_ddb_check_update_function(
        struct weir_ddb_parser *parser, const struct weir_ddb_node *node);

/* The kind of a function's name in the parser's grammar; a fault when it has none. */
enum weir_ddb_node_kind weir_ddb_function_kind(
        struct weir_ddb_parser *parser, struct weir_str name);

/* The type an operand has whatever the item: a literal's, a function's; else ABSENT. */
enum weir_type weir_ddb_static_type(const struct weir_ddb_node *node);

/* --- paths --------------------------------------------------------------- */

/* The value at a path; ABSENT when there is none. */
struct weir_value weir_ddb_path_get(const struct weir_ddb_path *path, struct weir_item item);

/* Whether a set has an element. Cost: O(log elements). */
bool weir_ddb_set_has(struct weir_value set, struct weir_value element);

/* "[a, [0], b]" as in DynamoDB's messages; the arena's. */
struct weir_str weir_ddb_path_text(struct weir_arena *arena, const struct weir_ddb_path *path);

/* Whether two paths are the same. */
bool weir_ddb_path_eq(const struct weir_ddb_path *a, const struct weir_ddb_path *b);

/*
 * The paths of an update or a projection as a tree. Children are sorted by name or
 * index; all children of one node are names, or all are indexes.
 */
struct weir_ddb_tree {
    struct weir_ddb_step step;
    struct weir_ddb_tree *children;
    struct weir_ddb_tree *next;           /* sibling */
    const struct weir_ddb_action *action; /* leaves of an update */
    bool leaf;
};

/*
 * Add a path to the tree at root and give its leaf; NULL with a fault when it
 * overlaps or conflicts with one of the count paths added before.
 */
struct weir_ddb_tree *weir_ddb_tree_add(struct weir_ddb_parser *parser, struct weir_ddb_tree *root,
        const struct weir_ddb_path *before, size_t count, const struct weir_ddb_path *path);

/* Write the parts of an item that the tree names. ret_any: whether there are some. Errors: as
 * weir_item_finish. */
WEIR_MUST_CHECK enum weir_rc weir_ddb_tree_project(const struct weir_ddb_tree *root,
        struct weir_item item, struct weir_arena *arena, struct weir_item *ret_part, bool *ret_any,
        struct weir_err *err);

#endif
