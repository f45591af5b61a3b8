#include "expression_test.h"

static const char values[] =
        "{':p': {'S': 'p'}, ':q': {'S': 'q'}, ':1': {'N': '1'}, ':2': {'N': '2'}, ':e': {'S': ''},"
        " ':b': {'B': 'aGk='}}";

static const struct weir_ddb_key_attribute simple_partition[] = { { { "pk", 2 }, WEIR_TYPE_S } };
static const struct weir_ddb_key_attribute simple_sort[] = { { { "sk", 2 }, WEIR_TYPE_N } };
static const struct weir_ddb_key_schema hash_only = { simple_partition, 1, NULL, 0 };
static const struct weir_ddb_key_schema simple = { simple_partition, 1, simple_sort, 1 };

static const struct weir_ddb_key_attribute wide_partition[] = { { { "a", 1 }, WEIR_TYPE_S },
    { { "b", 1 }, WEIR_TYPE_N } };
static const struct weir_ddb_key_attribute wide_sort[] = { { { "x", 1 }, WEIR_TYPE_S },
    { { "y", 1 }, WEIR_TYPE_N }, { { "z", 1 }, WEIR_TYPE_S } };
static const struct weir_ddb_key_schema wide = { wide_partition, 2, wide_sort, 3 };

static enum weir_rc bind(const char *text, const struct weir_ddb_key_schema *schema,
        struct weir_ddb_key_range *ret_range, struct weir_err *err)
{
    struct weir_ddb_context context = context_of("{'#p': {'S': 'pk'}}", values);
    const struct weir_ddb_key_condition *condition = NULL;
    enum weir_rc rc =
            weir_ddb_compile_key_condition(&arena, weir_str_z(text), &context, &condition, err);
    return rc != WEIR_OK ? rc : weir_ddb_key_condition_bind(condition, schema, ret_range, err);
}

struct query {
    const char *text;
    const struct weir_ddb_key_schema *schema;
    size_t equal;
    enum weir_ddb_key_op op;
    const char *low; /* as text */
    const char *high;
};

static void assert_number(struct weir_value value, const char *expected)
{
    char text[WEIR_DECIMAL_TEXT] = "";
    if (value.type == WEIR_TYPE_N) {
        weir_decimal_format(weir_value_decimal(value), text);
    } else {
        snprintf(text, sizeof(text), "%.*s", WEIR_STR_ARG(weir_value_str(value)));
    }
    assert_string_equal(text, expected);
}

static void conditions_become_ranges(void **state)
{
    static const struct query cases[] = {
        { "pk = :p", &hash_only, 0, WEIR_DDB_KEY_ANY, NULL, NULL },
        { ":p = #p", &simple, 0, WEIR_DDB_KEY_ANY, NULL, NULL },
        { "pk = :p AND sk = :1", &simple, 1, WEIR_DDB_KEY_ANY, NULL, NULL },
        { "sk < :1 AND pk = :p", &simple, 0, WEIR_DDB_KEY_LT, "1", NULL },
        { "(pk = :p) AND (sk <= :1)", &simple, 0, WEIR_DDB_KEY_LE, "1", NULL },
        { "pk = :p AND sk > :2", &simple, 0, WEIR_DDB_KEY_GT, "2", NULL },
        { "pk = :p AND sk >= :1", &simple, 0, WEIR_DDB_KEY_GE, "1", NULL },
        { "pk = :p AND :1 < sk", &simple, 0, WEIR_DDB_KEY_GT, "1", NULL },
        { "pk = :p AND :1 <= sk", &simple, 0, WEIR_DDB_KEY_GE, "1", NULL },
        { "pk = :p AND :1 > sk", &simple, 0, WEIR_DDB_KEY_LT, "1", NULL },
        { "pk = :p AND :1 >= sk", &simple, 0, WEIR_DDB_KEY_LE, "1", NULL },
        { "pk = :p AND sk BETWEEN :1 AND :2", &simple, 0, WEIR_DDB_KEY_BETWEEN, "1", "2" },
        { "a = :p AND b = :1", &wide, 0, WEIR_DDB_KEY_ANY, NULL, NULL },
        { "b = :1 AND begins_with(x, :q) AND a = :p", &wide, 0, WEIR_DDB_KEY_BEGINS_WITH, "q",
                NULL },
        { "a = :p AND b = :1 AND y > :1 AND x = :q", &wide, 1, WEIR_DDB_KEY_GT, "1", NULL },
        { "a = :p AND (b = :1 AND x = :q) AND y = :1 AND z = :p", &wide, 3, WEIR_DDB_KEY_ANY, NULL,
                NULL },
    };
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_ddb_key_range range = { 0 };
        struct weir_err err = { 0 };
        if (bind(cases[i].text, cases[i].schema, &range, &err) != WEIR_OK) {
            fail_msg("%s: %s", cases[i].text, err.msg);
        }
        assert_int_equal(range.partition_count, cases[i].schema->partition_count);
        assert_number(range.partition[0], "p");
        assert_int_equal(range.equal_count, cases[i].equal);
        assert_int_equal(range.op, cases[i].op);
        if (cases[i].low != NULL) {
            assert_number(range.low, cases[i].low);
        }
        if (cases[i].high != NULL) {
            assert_number(range.high, cases[i].high);
        }
    }
}

struct refusal {
    const char *text;
    const struct weir_ddb_key_schema *schema;
    const char *message;
};

static void wrong_key_conditions_are_refused(void **state)
{
#define OPERATOR "Invalid operator used in KeyConditionExpression: "
#define INVALID  "Invalid condition in KeyConditionExpression: "
#define NESTED   "KeyConditionExpressions cannot contain nested operations"
#define MISSED   "Query condition missed key schema element: "
#define REFUSED  "Query key condition not supported"
    static const struct refusal cases[] = {
        { "", &simple, "Invalid KeyConditionExpression: The expression can not be empty;" },
        { "a > 4", &simple,
                "Invalid KeyConditionExpression: Syntax error; token: \"4\", near: \"> 4\"" },
        { "pk = :p OR sk = :1", &simple, OPERATOR "OR" },
        { "pk IN (:p)", &simple, OPERATOR "IN" },
        { "attribute_exists(pk)", &simple, OPERATOR "attribute_exists" },
        { "contains(pk, :p)", &simple, OPERATOR "contains" },
        { "NOT pk = :p", &simple, OPERATOR "NOT" },
        { "pk <> :p", &simple, OPERATOR "<>" },
        { ":p BETWEEN :p AND :q AND sk > :1", &simple,
                INVALID "BETWEEN operator must have the key attribute as its first operand" },
        { "begins_with(:p, pk)", &simple,
                INVALID "begins_with operator must have the key attribute as its first operand" },
        { "size(pk) > :1", &simple, NESTED },
        { "pk = size(sk)", &simple, NESTED },
        { "pk = sk", &simple, INVALID "Multiple attribute names used in one condition" },
        { "m.x = :p", &simple,
                "KeyConditionExpressions cannot have conditions on nested attributes" },
        { ":p = :q", &simple, INVALID "No key attribute specified" },
        { "pk = :p AND pk = :q", &simple,
                "KeyConditionExpressions must only contain one condition per key" },
        { "sk = :1", &simple, MISSED "pk" },
        { "pk = :p AND oth = :1", &simple, MISSED "sk" },
        { "pk = :p AND oth = :1", &hash_only, REFUSED },
        { "pk = :p AND sk = :1 AND oth = :1", &simple, REFUSED },
        { "pk > :p", &simple, REFUSED },
        { "begins_with(pk, :p) AND sk = :1", &simple, REFUSED },
        { "pk = :1", &simple,
                "One or more parameter values were invalid: Condition parameter type does not "
                "match schema type" },
        { "pk = :p AND sk = :p", &simple,
                "One or more parameter values were invalid: Condition parameter type does not "
                "match schema type" },
        { "pk = :e", &simple,
                "One or more parameter values are not valid. The AttributeValue for a key "
                "attribute cannot contain an empty string value. Key: pk" },
        { "a = :p", &wide, MISSED "b" },
        { "a = :p AND b = :1 AND y = :1", &wide, MISSED "x" },
        { "a = :p AND b = :1 AND x > :p AND y = :1", &wide, REFUSED },
        { "a = :p AND b = :1 AND x = :p AND z = :p", &wide, MISSED "y" },
    };
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_ddb_key_range range = { .equal_count = 77 };
        struct weir_err err = { 0 };
        if (bind(cases[i].text, cases[i].schema, &range, &err) == WEIR_OK) {
            fail_msg("%s is accepted", cases[i].text);
        }
        if (strcmp(err.msg, cases[i].message) != 0) {
            fail_msg("%s: %s\nexpected %s", cases[i].text, err.msg, cases[i].message);
        }
        assert_int_equal(range.equal_count, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(conditions_become_ranges, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(
                wrong_key_conditions_are_refused, arena_setup, arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
