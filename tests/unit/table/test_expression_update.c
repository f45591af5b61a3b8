#include "expression_test.h"

static const char names[] = "{'#s': {'S': 'status'}, '#dot': {'S': 'a.b'}, '#k': {'S': 'k.v'}}";

static const char values[] =
        "{':0': {'N': '0'}, ':1': {'N': '1'}, ':2': {'N': '2.5'}, ':s': {'S': 'x'},"
        " ':t': {'S': 'y'}, ':u': {'S': 'z'}, ':l': {'L': [{'S': 'p'}, {'S': 'q'}]},"
        " ':el': {'L': []}, ':m': {'M': {'k': {'N': '1'}}}, ':ss': {'SS': ['a', 'b']},"
        " ':sc': {'SS': ['c', 'b']}, ':ns': {'NS': ['1', '2']}, ':bs': {'BS': ['aGk=']},"
        " ':b': {'B': 'aGk='}, ':nil': {'NULL': true}, ':yes': {'BOOL': true},"
        " ':max': {'N': '9.9E125'}}";

static const char key[] = "{'pk': {'S': 'k'}}";

static const struct weir_ddb_key_attribute partition[] = { { { "pk", 2 }, WEIR_TYPE_S } };
static const struct weir_ddb_key_attribute sort_key[] = { { { "sk", 2 }, WEIR_TYPE_N } };
static const struct weir_ddb_key_schema schema = { partition, 1, sort_key, 1 };

static enum weir_rc compile(
        const char *text, const struct weir_ddb_update **ret_update, struct weir_err *err)
{
    struct weir_ddb_context context = context_of(names, values);
    return weir_ddb_compile_update(&arena, weir_str_z(text), &context, ret_update, err);
}

static const struct weir_ddb_update *update_of(const char *text)
{
    const struct weir_ddb_update *update = NULL;
    struct weir_err err = { 0 };
    if (compile(text, &update, &err) != WEIR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return update;
}

struct change {
    const char *text;
    const char *before; /* NULL: no item */
    const char *after;
};

static void check_changes(const struct change *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct weir_err err = { 0 };
        struct weir_item after = { NULL, 0 };
        if (weir_ddb_update_apply(update_of(cases[i].text), item_of(cases[i].before), item_of(key),
                    &arena, &after, &err) != WEIR_OK) {
            fail_msg("%s: %s", cases[i].text, err.msg);
        }
        assert_item(cases[i].text, after, cases[i].after);
        assert_true(after.n == 0 || weir_item_check(after, NULL) == WEIR_OK);
    }
}

#define PK "'pk': {'S': 'k'}"

static void set_changes_attributes(void **state)
{
    static const struct change cases[] = {
        { "SET a = :s", "{" PK "}", "{" PK ", 'a': {'S': 'x'}}" },
        { "set a=:s", NULL, "{" PK ", 'a': {'S': 'x'}}" },
        { "SET a = :s", "{" PK ", 'a': {'N': '1'}, 'z': {'N': '1'}}",
                "{" PK ", 'a': {'S': 'x'}, 'z': {'N': '1'}}" },
        { "SET #s = :s, #dot = :t", "{" PK "}",
                "{" PK ", 'status': {'S': 'x'}, 'a.b': {'S': 'y'}}" },
        { "SET a = b, b = a", "{" PK ", 'a': {'N': '1'}, 'b': {'N': '2'}}",
                "{" PK ", 'a': {'N': '2'}, 'b': {'N': '1'}}" },
        { "SET a = a + :1", "{" PK ", 'a': {'N': '2'}}", "{" PK ", 'a': {'N': '3'}}" },
        { "SET a = :2 - a", "{" PK ", 'a': {'N': '2'}}", "{" PK ", 'a': {'N': '0.5'}}" },
        { "SET a = (a + :1)", "{" PK ", 'a': {'N': '2'}}", "{" PK ", 'a': {'N': '3'}}" },
        { "SET a = (a) - (:1)", "{" PK ", 'a': {'N': '2'}}", "{" PK ", 'a': {'N': '1'}}" },
        { "SET a = if_not_exists(a, :0) + :1", "{" PK "}", "{" PK ", 'a': {'N': '1'}}" },
        { "SET a = if_not_exists(a, :0) + :1", "{" PK ", 'a': {'N': '4'}}",
                "{" PK ", 'a': {'N': '5'}}" },
        { "SET a = if_not_exists(b, if_not_exists(c, :1))", "{" PK "}",
                "{" PK ", 'a': {'N': '1'}}" },
        { "SET a = list_append(a, :l)", "{" PK ", 'a': {'L': [{'N': '1'}]}}",
                "{" PK ", 'a': {'L': [{'N': '1'}, {'S': 'p'}, {'S': 'q'}]}}" },
        { "SET a = list_append(:l, if_not_exists(a, :el))", "{" PK "}",
                "{" PK ", 'a': {'L': [{'S': 'p'}, {'S': 'q'}]}}" },
        { "SET a.c = :1", "{" PK ", 'a': {'M': {'b': {'N': '1'}, 'd': {'N': '2'}}}}",
                "{" PK ", 'a': {'M': {'b': {'N': '1'}, 'c': {'N': '1'}, 'd': {'N': '2'}}}}" },
        { "SET a.b = a.c[1].x",
                "{" PK ", 'a': {'M': {'c': {'L': [{'N': '1'}, {'M': {'x': {'S':"
                " 'deep'}}}]}}}}",
                "{" PK ", 'a': {'M': {'b': {'S': 'deep'}, 'c': {'L': [{'N': '1'}, {'M': {'x':"
                " {'S': 'deep'}}}]}}}}" },
        { "SET a[1] = :s", "{" PK ", 'a': {'L': [{'N': '1'}, {'N': '2'}, {'N': '3'}]}}",
                "{" PK ", 'a': {'L': [{'N': '1'}, {'S': 'x'}, {'N': '3'}]}}" },
        { "SET a[9] = :s", "{" PK ", 'a': {'L': [{'N': '1'}]}}",
                "{" PK ", 'a': {'L': [{'N': '1'}, {'S': 'x'}]}}" },
        { "SET a[84] = :s, a[37] = :t, a[50] = :u", "{" PK ", 'a': {'L': [{'N': '1'}]}}",
                "{" PK ", 'a': {'L': [{'N': '1'}, {'S': 'y'}, {'S': 'z'}, {'S': 'x'}]}}" },
        { "SET a[0].b[1] = :s, a[1] = :t",
                "{" PK ", 'a': {'L': [{'M': {'b': {'L': [{'N': '1'}]}}}]}}",
                "{" PK ", 'a': {'L': [{'M': {'b': {'L': [{'N': '1'}, {'S': 'x'}]}}}, {'S':"
                " 'y'}]}}" },
    };
    (void)state;
    check_changes(cases, WEIR_COUNT(cases));
}

static void remove_takes_away(void **state)
{
    static const struct change cases[] = {
        { "REMOVE a", "{" PK ", 'a': {'N': '1'}, 'b': {'N': '1'}}", "{" PK ", 'b': {'N': '1'}}" },
        { "REMOVE a, c", "{" PK ", 'b': {'N': '1'}}", "{" PK ", 'b': {'N': '1'}}" },
        { "REMOVE a SET b = a", "{" PK ", 'a': {'N': '1'}}", "{" PK ", 'b': {'N': '1'}}" },
        { "REMOVE a[1]", "{" PK ", 'a': {'L': [{'N': '1'}, {'N': '2'}, {'N': '3'}]}}",
                "{" PK ", 'a': {'L': [{'N': '1'}, {'N': '3'}]}}" },
        { "REMOVE a[1] SET a[3] = :s",
                "{" PK ", 'a': {'L': [{'N': '2'}, {'N': '3'}, {'N': '4'}, {'N': '5'}, {'N':"
                " '6'}]}}",
                "{" PK ", 'a': {'L': [{'N': '2'}, {'N': '4'}, {'S': 'x'}, {'N': '6'}]}}" },
        { "REMOVE a[0]", "{" PK ", 'a': {'L': [{'N': '1'}]}}", "{" PK ", 'a': {'L': []}}" },
        { "REMOVE a[17]", "{" PK ", 'a': {'L': [{'N': '1'}]}}",
                "{" PK ", 'a': {'L': [{'N': '1'}]}}" },
        { "REMOVE a.b", "{" PK ", 'a': {'M': {'b': {'N': '1'}}}}", "{" PK ", 'a': {'M': {}}}" },
        { "REMOVE a.c", "{" PK ", 'a': {'M': {'b': {'N': '1'}}}}",
                "{" PK ", 'a': {'M': {'b': {'N': '1'}}}}" },
        { "REMOVE a", NULL, NULL },
        { "REMOVE a.b[1]", NULL, NULL },
        { "DELETE a :ss", NULL, NULL },
        { "REMOVE a.b SET c = :1", NULL, "{" PK ", 'c': {'N': '1'}}" },
    };
    (void)state;
    check_changes(cases, WEIR_COUNT(cases));
}

static void add_and_delete_work_on_numbers_and_sets(void **state)
{
    static const struct change cases[] = {
        { "ADD a :1", "{" PK ", 'a': {'N': '2'}}", "{" PK ", 'a': {'N': '3'}}" },
        { "ADD a :2", "{" PK "}", "{" PK ", 'a': {'N': '2.5'}}" },
        { "ADD a :1", NULL, "{" PK ", 'a': {'N': '1'}}" },
        { "ADD a :sc", "{" PK ", 'a': {'SS': ['a', 'b']}}",
                "{" PK ", 'a': {'SS': ['a', 'b', 'c']}}" },
        { "ADD a :ns", "{" PK ", 'a': {'NS': ['10', '2.0']}}",
                "{" PK ", 'a': {'NS': ['1', '2', '10']}}" },
        { "ADD a :bs", "{" PK "}", "{" PK ", 'a': {'BS': ['aGk=']}}" },
        { "ADD m.n :1, l[0] :1, l[5] :2",
                "{" PK ", 'm': {'M': {'n': {'N': '1'}}}, 'l': {'L': [{'N': '1'}]}}",
                "{" PK ", 'm': {'M': {'n': {'N': '2'}}}, 'l': {'L': [{'N': '2'}, {'N':"
                " '2.5'}]}}" },
        { "DELETE a :sc", "{" PK ", 'a': {'SS': ['a', 'b']}}", "{" PK ", 'a': {'SS': ['a']}}" },
        { "DELETE a :ss", "{" PK ", 'a': {'SS': ['a', 'b']}}", "{" PK "}" },
        { "DELETE a :ns", "{" PK ", 'a': {'NS': ['1', '2', '3.5']}}",
                "{" PK ", 'a': {'NS': ['3.5']}}" },
        { "DELETE a :ss", "{" PK "}", "{" PK "}" },
        { "DELETE m.a :ss", "{" PK ", 'm': {'M': {'a': {'SS': ['a']}}}}",
                "{" PK ", 'm': {'M': {}}}" },
        { "SET a = :1 REMOVE b ADD c :1 DELETE d :ss",
                "{" PK ", 'b': {'N': '1'}, 'd': {'SS': ['b', 'x']}}",
                "{" PK ", 'a': {'N': '1'}, 'c': {'N': '1'}, 'd': {'SS': ['x']}}" },
    };
    (void)state;
    check_changes(cases, WEIR_COUNT(cases));
}

struct refusal {
    const char *text;
    const char *message;
};

#define UE "Invalid UpdateExpression: "

static void wrong_updates_are_refused(void **state)
{
    static const struct refusal cases[] = {
        { "", UE "The expression can not be empty;" },
        { "INVALID SYNTAX HERE", UE "Syntax error; token: \"INVALID\", near: \"INVALID SYNTAX\"" },
        { "ADD hits : incr", UE "Syntax error; token: \":\", near: \"hits : incr\"" },
        { "SET", UE "Syntax error; token: \"<EOF>\", near: \"SET\"" },
        { "SET a = :1,", UE "Syntax error; token: \"<EOF>\", near: \",\"" },
        { "SET a = :1 b = :1", UE "Syntax error; token: \"b\", near: \":1 b =\"" },
        { "SET a = :1 + :1 + :1", UE "Syntax error; token: \"+\", near: \":1 + :1\"" },
        { "SET a = if_not_exists(a, :1 + :1)", UE "Syntax error; token: \"+\", near: \":1 + :1\"" },
        { "SET a = (a + :1) + :1", UE "Syntax error; token: \"+\", near: \") + :1\"" },
        { "SET :1 = :1", UE "Syntax error; token: \":1\", near: \"SET :1 =\"" },
        { "SET a = _f(b)", UE "Syntax error; token: \"_\", near: \"= _f\"" },
        { "ADD a b", UE "Syntax error; token: \"b\", near: \"a b\"" },
        { "REMOVE a[:1]", UE "Syntax error; token: \":1\", near: \"[:1]\"" },
        { "SET a = :1 SET b = :1",
                UE "The \"SET\" section can only be used once in an update expression;" },
        { "SET status = :1", UE "Attribute name is a reserved keyword; reserved keyword: status" },
        { "SET and = :1", UE "Attribute name is a reserved keyword; reserved keyword: and" },
        { "SET #no = :no", UE "An expression attribute name used in the document path is not "
                              "defined; attribute name: #no" },
        { "SET a = :no",
                UE "An expression attribute value used in expression is not defined; attribute "
                   "value: :no" },
        { "SET a = f1_x(b)", UE "Invalid function name; function: f1_x" },
        { "SET a = size(b)", UE "The function is not allowed in an update expression; function: "
                                "size" },
        { "SET a = if_not_exists(b)", UE "Incorrect number of operands for operator or function; "
                                         "operator or function: if_not_exists, number of operands: "
                                         "1" },
        { "SET a = if_not_exists(:1, :1)", UE "Operator or function requires a document path; "
                                              "operator or function: if_not_exists" },
        { "SET a = list_append(:s, :l)", UE "Incorrect operand type for operator or function; "
                                            "operator or function: list_append, operand type: S" },
        { "SET a = list_append(list_append(:l, :l), :l)",
                UE "The function is not allowed to be used this way in an expression; function: "
                   "list_append" },
        { "SET a = b + :s", UE "Incorrect operand type for operator or function; operator or "
                               "function: +, operand type: S" },
        { "SET a = :l - b", UE "Incorrect operand type for operator or function; operator or "
                               "function: -, operand type: L" },
        { "ADD a :s", UE "Incorrect operand type for operator or function; operator: ADD, operand "
                         "type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND" },
        { "DELETE a :1", UE "Incorrect operand type for operator or function; operator: DELETE, "
                            "operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND" },
        { "SET a = :1, a.b = :1",
                UE "Two document paths overlap with each other; must remove or rewrite one of "
                   "these paths; path one: [a], path two: [a, b]" },
        { "SET a = :1 REMOVE a",
                UE "Two document paths overlap with each other; must remove or rewrite one of "
                   "these paths; path one: [a], path two: [a]" },
        { "SET z = :1, a[1][1] = :1, b = :1 REMOVE a[1]",
                UE "Two document paths overlap with each other; must remove or rewrite one of "
                   "these paths; path one: [a, [1], [1]], path two: [a, [1]]" },
        { "SET a.b.c = :1, a.b[2] = :1",
                UE "Two document paths conflict with each other; must remove or rewrite one of "
                   "these paths; path one: [a, b, c], path two: [a, b, [2]]" },
    };
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        const struct weir_ddb_update *update = NULL;
        struct weir_err err = { 0 };
        assert_int_equal(compile(cases[i].text, &update, &err), WEIR_E_INVALID);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void an_item_may_not_fit_the_update(void **state)
{
#define TYPE   "An operand in the update expression has an incorrect data type"
#define PATH   "The document path provided in the update expression is invalid for update"
#define ABSENT "The provided expression refers to an attribute that does not exist in the item"
    static const char before[] =
            "{" PK ", 's': {'S': 'x'}, 'l': {'L': [{'N': '1'}]}, 'm': {'M': {}}, 'n': {'N':"
            " '9E125'}}";
    static const struct refusal cases[] = {
        { "SET a = b", ABSENT },
        { "SET a = b + :1", ABSENT },
        { "SET a = m.x", ABSENT },
        { "SET a = l[1]", ABSENT },
        { "SET a = s + :1", TYPE },
        { "SET a = :1 - l", TYPE },
        { "SET a = list_append(s, :l)", TYPE },
        { "ADD s :1", TYPE },
        { "ADD l :ss", TYPE },
        { "DELETE s :ss", TYPE },
        { "SET s.x = :1", PATH },
        { "SET l.x = :1", PATH },
        { "SET a.x = :1", PATH },
        { "SET m[0] = :1", PATH },
        { "SET a[0] = :1", PATH },
        { "SET l[1].x = :1", PATH },
        { "REMOVE s.x", PATH },
        { "REMOVE a.x", PATH },
        { "ADD a.x :1", PATH },
    };
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_err err = { 0 };
        struct weir_item after = { NULL, 0 };
        assert_int_equal(weir_ddb_update_apply(update_of(cases[i].text), item_of(before),
                                 item_of(key), &arena, &after, &err),
                WEIR_E_INVALID);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(after.n, 0);
    }
    struct weir_item after = { NULL, 0 };
    assert_int_equal(weir_ddb_update_apply(update_of("SET a.b = :1"), item_of(NULL), item_of(key),
                             &arena, &after, NULL),
            WEIR_E_INVALID);
    assert_int_equal(weir_ddb_update_apply(update_of("ADD n :max"), item_of(before), item_of(key),
                             &arena, &after, NULL),
            WEIR_E_INVALID);
}

static void keys_are_left_alone(void **state)
{
    (void)state;
    struct weir_err err = { 0 };
    assert_int_equal(weir_ddb_update_check_key(update_of("SET a = pk"), &schema, &err), WEIR_OK);
    assert_int_equal(weir_ddb_update_check_key(update_of("SET a = :1 REMOVE sk"), &schema, &err),
            WEIR_E_INVALID);
    assert_string_equal(err.msg, "One or more parameter values were invalid: Cannot update "
                                 "attribute sk. This attribute is part of the key");
    assert_int_equal(
            weir_ddb_update_check_key(update_of("ADD pk :1"), &schema, &err), WEIR_E_INVALID);
}

static void touched_parts_are_given(void **state)
{
    (void)state;
    static const char item[] = "{" PK ", 'a': {'N': '1'}, 'b': {'M': {'x': {'N': '1'}, 'y': {'N':"
                               " '2'}}}, 'l': {'L': [{'N': '1'}, {'N': '2'}, {'N': '3'}]}}";
    struct weir_item part = { NULL, 0 };
    assert_int_equal(
            weir_ddb_update_touched(update_of("SET a = :1, b.x = :1, q = :1, l[2] = :1, l[0] = :1"),
                    item_of(item), &arena, &part, NULL),
            WEIR_OK);
    assert_item("part", part,
            "{'a': {'N': '1'}, 'b': {'M': {'x': {'N': '1'}}}, 'l': {'L': [{'N': '1'},"
            " {'N': '3'}]}}");
    assert_int_equal(
            weir_ddb_update_touched(update_of("REMOVE q, b.z"), item_of(item), &arena, &part, NULL),
            WEIR_OK);
    assert_int_equal(part.n, 0);
    assert_int_equal(
            weir_ddb_update_touched(update_of("SET a = :1"), item_of(NULL), &arena, &part, NULL),
            WEIR_OK);
    assert_int_equal(part.n, 0);
}

static enum weir_rc project(
        const char *text, const char *item, struct weir_item *ret_part, struct weir_err *err)
{
    struct weir_ddb_context context = context_of(names, NULL);
    const struct weir_ddb_projection *projection = NULL;
    enum weir_rc rc =
            weir_ddb_compile_projection(&arena, weir_str_z(text), &context, &projection, err);
    return rc != WEIR_OK
                   ? rc
                   : weir_ddb_projection_apply(projection, item_of(item), &arena, ret_part, err);
}

static void projections_pick_parts(void **state)
{
    static const char item[] =
            "{" PK ", 'a': {'M': {'b': {'N': '1'}, 'c': {'L': [{'N': '10'}, {'M': {'x': {'S':"
            " 'X'}, 'y': {'S': 'Y'}}}, {'N': '30'}]}}}, 'k.v': {'S': 'dotted'}, 'status': {'S':"
            " 'ok'}}";
    static const struct change cases[] = {
        { "pk", item, "{" PK "}" },
        { "nope", item, "{}" },
        { "#s, #k", item, "{'k.v': {'S': 'dotted'}, 'status': {'S': 'ok'}}" },
        { "a.b", item, "{'a': {'M': {'b': {'N': '1'}}}}" },
        { "a.b, a.c[1].nope, a.c[0].x", item, "{'a': {'M': {'b': {'N': '1'}}}}" },
        { "a.nope, pk", item, "{" PK "}" },
        { "a.c[2], a.c[0]", item, "{'a': {'M': {'c': {'L': [{'N': '10'}, {'N': '30'}]}}}}" },
        { "a.c[1].y, a.c[7]", item, "{'a': {'M': {'c': {'L': [{'M': {'y': {'S': 'Y'}}}]}}}}" },
        { "a[0], pk.x", item, "{}" },
    };
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_item part = { NULL, 0 };
        struct weir_err err = { 0 };
        if (project(cases[i].text, cases[i].before, &part, &err) != WEIR_OK) {
            fail_msg("%s: %s", cases[i].text, err.msg);
        }
        assert_item(cases[i].text, part, cases[i].after);
    }
}

static void wrong_projections_are_refused(void **state)
{
    static const struct refusal cases[] = {
        { "", "The expression can not be empty;" },
        { "a,", "Syntax error; token: \"<EOF>\", near: \",\"" },
        { "a,,b", "Syntax error; token: \",\", near: \",,b\"" },
        { "l[]", "Syntax error; token: \"]\", near: \"[]\"" },
        { "a b", "Syntax error; token: \"b\", near: \"a b\"" },
        { ":a", "Syntax error; token: \":a\", near: \":a\"" },
        { "name", "Attribute name is a reserved keyword; reserved keyword: name" },
        { "a.#no", "An expression attribute name used in the document path is not defined; "
                   "attribute name: #no" },
        { "a, a.b", "Two document paths overlap with each other; must remove or rewrite one of "
                    "these paths; path one: [a], path two: [a, b]" },
        { "a.b, a[0]", "Two document paths conflict with each other; must remove or rewrite one "
                       "of these paths; path one: [a, b], path two: [a, [0]]" },
    };
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_item part = { NULL, 0 };
        struct weir_err err = { 0 };
        char message[256];
        snprintf(message, sizeof(message), "Invalid ProjectionExpression: %s", cases[i].message);
        assert_int_equal(project(cases[i].text, "{}", &part, &err), WEIR_E_INVALID);
        assert_string_equal(err.msg, message);
    }
}

static void whole_attributes_are_projected(void **state)
{
    (void)state;
    static const struct weir_str attributes[] = { { "pk", 2 }, { "a", 1 }, { "pk", 2 } };
    const struct weir_ddb_projection *projection =
            weir_ddb_projection_of(&arena, attributes, WEIR_COUNT(attributes));
    assert_int_equal(weir_ddb_projection_count(projection), 2);
    assert_true(weir_str_eq(weir_ddb_projection_attribute(projection, 0), WEIR_STR("a")));
    assert_true(weir_str_eq(weir_ddb_projection_attribute(projection, 1), WEIR_STR("pk")));
    struct weir_item part = { NULL, 0 };
    assert_int_equal(weir_ddb_projection_apply(
                             projection, item_of("{" PK ", 'b': {'N': '1'}}"), &arena, &part, NULL),
            WEIR_OK);
    assert_item("part", part, "{" PK "}");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(set_changes_attributes),
        CASE(remove_takes_away),
        CASE(add_and_delete_work_on_numbers_and_sets),
        CASE(wrong_updates_are_refused),
        CASE(an_item_may_not_fit_the_update),
        CASE(keys_are_left_alone),
        CASE(touched_parts_are_given),
        CASE(projections_pick_parts),
        CASE(wrong_projections_are_refused),
        CASE(whole_attributes_are_projected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
