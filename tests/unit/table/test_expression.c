#include "expression_test.h"

/* The item that conditions are tried on. */
static const char thing[] =
        "{'pk': {'S': 'k1'}, 's': {'S': 'hello'}, 'n': {'N': '5'}, 'b': {'B': 'aGkgdGhlcmU='},"
        " 'yes': {'BOOL': true}, 'nil': {'NULL': true}, 'l': {'L': [{'N': '2'}, {'S': 'dog'},"
        " {'L': [{'N': '3'}]}, {'NS': ['1', '2']}]}, 'm': {'M': {'x': {'N': '1'}, 'y': {'L':"
        " [{'N': '-1'}, {'N': '7'}]}}}, 'ss': {'SS': ['a', 'b']}, 'ns': {'NS': ['2', '4', '7.5']},"
        " 'bs': {'BS': ['aGk=']}, 'status': {'S': 'ok'}, 'a.b': {'N': '9'}}";

static const char literals[] =
        "{':hello': {'S': 'hello'}, ':hell': {'S': 'hell'}, ':z': {'S': 'z'}, ':e': {'S': ''},"
        " ':0': {'N': '0'}, ':1': {'N': '1'}, ':2': {'N': '2'}, ':3': {'N': '3'},"
        " ':4': {'N': '4'}, ':5': {'N': '5.0'}, ':8': {'N': '8'}, ':13': {'N': '13'},"
        " ':hi': {'B': 'aGk='}, ':here': {'B': 'aGVyZQ=='}, ':t': {'BOOL': true},"
        " ':nil': {'NULL': true}, ':ab': {'SS': ['b', 'a']}, ':12': {'NS': ['2', '1']},"
        " ':l3': {'L': [{'N': '3'}]}, ':S': {'S': 'S'}, ':N': {'S': 'N'}, ':SS': {'S': 'SS'},"
        " ':M': {'S': 'M'}, ':L': {'S': 'L'}, ':m': {'M': {}}, ':dog': {'S': 'dog'},"
        " ':a': {'S': 'a'}, ':DOG': {'S': 'DOG'}}";

static const char names[] = "{'#status': {'S': 'status'}, '#dot': {'S': 'a.b'}, '#m': {'S': 'm'},"
                            " '#x': {'S': 'x'}, '#none': {'S': 'none'}}";

static struct weir_ddb_context full_context(void)
{
    return context_of(names, literals);
}

static enum weir_rc compile(enum weir_ddb_expression_kind kind, const char *text,
        const struct weir_ddb_condition **ret_condition, struct weir_err *err)
{
    struct weir_ddb_context context = full_context();
    return weir_ddb_compile_condition(&arena, kind, weir_str_z(text), &context, ret_condition, err);
}

static bool holds(const char *text, struct weir_item item)
{
    const struct weir_ddb_condition *condition = NULL;
    struct weir_err err = { 0 };
    if (compile(WEIR_DDB_CONDITION, text, &condition, &err) != WEIR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return weir_ddb_condition_eval(condition, item);
}

static void conditions_hold(void **state)
{
    static const char *const cases[] = {
        "s = :hello",
        "n = :5",
        ":5=n",
        "b <> :hi",
        "yes = :t",
        "nil = :nil",
        "ss = :ab",
        "l[3] = :12",
        "l[2] = :l3",
        "s <> :5",
        "zip <> :5",
        "zip <> nope",
        "n < :8",
        "n <= :5",
        "n > :4",
        "n >= :5",
        "s < :z",
        "n BETWEEN :1 AND :5",
        "n between :5 And :8",
        "s BETWEEN :hell AND :hello",
        "n BETWEEN m.x AND m.y[1]",
        "n BETWEEN m.x AND m.y[1] AND s = :hello",
        "n IN (:1, :hello, :5)",
        "n in (m.x, n)",
        "attribute_exists(s)",
        "attribute_exists (m.y[1])",
        "attribute_exists(#dot)",
        "attribute_exists(#m.#x)",
        "attribute_not_exists(zip)",
        "attribute_not_exists(m.z)",
        "attribute_not_exists(m.y[2])",
        "attribute_not_exists(s.x)",
        "attribute_not_exists(m[0])",
        "attribute_not_exists(l.x)",
        "attribute_type(s, :S)",
        "attribute_type(n, :N)",
        "attribute_type(ss, :SS)",
        "attribute_type(m, :M)",
        "attribute_type(:5, :N)",
        "begins_with(s, :hell)",
        "begins_with(s, :e)",
        "begins_with(b, :hi)",
        "begins_with(:hello, s)",
        "contains(s, :hell)",
        "contains(s, :e)",
        "contains(b, :here)",
        "contains(ss, :a)",
        "contains(ns, :4)",
        "contains(l, :dog)",
        "contains(l, :l3)",
        "contains(l, :12)",
        "contains(bs, :hi)",
        "contains(ns, size(ss))",
        "size(s) = :5",
        "size(b) = :8",
        "size(ss) = :2",
        "size(l) = :4",
        "size(m) = :2",
        "size(s) = n",
        "size(ss) < size(ns)",
        "size(s) BETWEEN :4 AND :8",
        "size(s) IN (:1, :5)",
        "size(s) <> :4",
        "size(n) <> :1",
        "m.x < m.y[1]",
        "#status = :hello OR #m.x = :1",
        "n = :1 OR n = :5 AND s = :hello",
        "(n = :1 OR n = :5) AND s = :hello",
        "NOT n = :1",
        "NOT NOT n = :5",
        "nOt (n = :1 oR n = :2)",
        "NOT n = :1 AND s = :hello",
        "(n) = (:5)",
        "(m).x = :1",
        "\t n\r\n=\n:5 ",
        "(attribute_exists(s))",
    };
    (void)state;
    struct weir_item item = item_of(thing);
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        if (!holds(cases[i], item)) {
            fail_msg("%s does not hold", cases[i]);
        }
        char negated[256];
        snprintf(negated, sizeof(negated), "NOT (%s)", cases[i]);
        if (cases[i][0] != '(' && holds(negated, item)) {
            fail_msg("%s holds", negated);
        }
    }
}

static void conditions_do_not_hold(void **state)
{
    static const char *const cases[] = {
        "s = :5",
        "n = zip",
        "zip = nope",
        "zip < :5",
        ":5 > zip",
        "s < :5",
        "yes < n",
        "l < :5",
        "n BETWEEN :hell AND :hello",
        "n BETWEEN l AND m",
        "zip BETWEEN :1 AND :5",
        "n BETWEEN m.y[1] AND m.x",
        "n IN (:1)",
        "zip IN (:1)",
        "attribute_exists(zip)",
        "attribute_not_exists(s)",
        "attribute_type(s, :N)",
        "attribute_type(zip, :S)",
        "begins_with(s, :z)",
        "begins_with(n, :hell)",
        "begins_with(zip, :hell)",
        "begins_with(s, :hi)",
        "contains(s, :5)",
        "contains(n, :5)",
        "contains(m, :5)",
        "contains(ss, :5)",
        "contains(ns, :3)",
        "contains(zip, :5)",
        "contains(s, zip)",
        "size(zip) = :1",
        "size(n) = :1",
        "size(s) = :hello",
        "size(s) < :hello",
        "n = :1 AND s = :hello",
        "n = :5 AND s = :hello AND n = :1",
    };
    (void)state;
    struct weir_item item = item_of(thing);
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        if (holds(cases[i], item)) {
            fail_msg("%s holds", cases[i]);
        }
    }
}

static void an_absent_item_has_no_attributes(void **state)
{
    (void)state;
    struct weir_item none = { NULL, 0 };
    assert_true(holds("attribute_not_exists(pk)", none));
    assert_false(holds("attribute_exists(pk)", none));
    assert_false(holds("n < :5", none));
    assert_true(holds("n <> :5", none));
}

struct refusal {
    const char *text;
    const char *message;
};

static void refuse(enum weir_ddb_expression_kind kind, const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct weir_ddb_condition *condition = NULL;
        struct weir_err err = { 0 };
        if (compile(kind, cases[i].text, &condition, &err) == WEIR_OK) {
            fail_msg("%s is accepted", cases[i].text);
        }
        if (strcmp(err.msg, cases[i].message) != 0) {
            fail_msg("%s: %s\nexpected %s", cases[i].text, err.msg, cases[i].message);
        }
        assert_int_equal(err.code, WEIR_E_INVALID);
        assert_null(condition);
    }
}

#define CE "Invalid ConditionExpression: "

static void syntax_errors_name_token_and_place(void **state)
{
    static const struct refusal cases[] = {
        { "", CE "The expression can not be empty;" },
        { "a", CE "Syntax error; token: \"<EOF>\", near: \"a\"" },
        { "a =", CE "Syntax error; token: \"<EOF>\", near: \"=\"" },
        { "a b", CE "Syntax error; token: \"b\", near: \"a b\"" },
        { "a b c", CE "Syntax error; token: \"b\", near: \"a b c\"" },
        { "a > 4", CE "Syntax error; token: \"4\", near: \"> 4\"" },
        { "!!!", CE "Syntax error; token: \"!\", near: \"!!\"" },
        { "__t = :1", CE "Syntax error; token: \"_\", near: \"__\"" },
        { "n = :1 AND __t = :1", CE "Syntax error; token: \"_\", near: \"AND __\"" },
        { "a = :1 AND", CE "Syntax error; token: \"<EOF>\", near: \"AND\"" },
        { "a AND b = :1", CE "Syntax error; token: \"AND\", near: \"a AND b\"" },
        { "(a = :1", CE "Syntax error; token: \"<EOF>\", near: \":1\"" },
        { "a = :1)", CE "Syntax error; token: \")\", near: \":1)\"" },
        { "(size(n))[0] > n", CE "Syntax error; token: \"[\", near: \")[0\"" },
        { "a IN ()", CE "Syntax error; token: \")\", near: \"()\"" },
        { "a[:1] = :1", CE "Syntax error; token: \":1\", near: \"[:1]\"" },
        { "a[b] = :1", CE "Syntax error; token: \"b\", near: \"[b]\"" },
        { "a. = :1", CE "Syntax error; token: \"=\", near: \". = :1\"" },
        { "# = :1", CE "Syntax error; token: \"#\", near: \"# =\"" },
        { "a = :", CE "Syntax error; token: \":\", near: \"= :\"" },
        { "a < b < n", CE "Syntax error; token: \"<\", near: \"b < n\"" },
        { "(a = b) = n", CE "Syntax error; token: \"=\", near: \") = n\"" },
        { "NOT", CE "Syntax error; token: \"<EOF>\", near: \"NOT\"" },
        { "and = :1", CE "Syntax error; token: \"and\", near: \"and =\"" },
        { "a \xc3\xa9 b", CE "Syntax error; token: \"\xc3\xa9\", near: \"a \xc3\xa9 b\"" },
        { "a BETWEEN :1 OR :2", CE "Syntax error; token: \"OR\", near: \":1 OR :2\"" },
        { "a + b = :1", CE "Syntax error; token: \"+\", near: \"a + b\"" },
    };
    (void)state;
    refuse(WEIR_DDB_CONDITION, cases, WEIR_COUNT(cases));
}

static void faults_have_the_services_messages(void **state)
{
    static const struct refusal cases[] = {
        { "status = :1", CE "Attribute name is a reserved keyword; reserved keyword: status" },
        { "m.Name = :1", CE "Attribute name is a reserved keyword; reserved keyword: Name" },
        { "#no = :1", CE "An expression attribute name used in the document path is not defined; "
                         "attribute name: #no" },
        { "n = :no", CE "An expression attribute value used in expression is not defined; "
                        "attribute value: :no" },
        { "dog(n) = :1", CE "Invalid function name; function: dog" },
        { "SIZE(n) = :1", CE "Invalid function name; function: SIZE" },
        { "if_not_exists(n, s) = :1",
                CE "The function is not allowed in a condition expression; function: "
                   "if_not_exists" },
        { "size(n)", CE "The function is not allowed to be used this way in an expression; "
                        "function: size" },
        { "NOT size(n)", CE "The function is not allowed to be used this way in an expression; "
                            "function: size" },
        { "attribute_exists(n) < :1", CE "The function is not allowed to be used this way in an "
                                         "expression; function: attribute_exists" },
        { "contains(n, begins_with(s, :z))", CE "The function is not allowed to be used this way "
                                                "in an expression; function: begins_with" },
        { "attribute_exists(:1)", CE "Operator or function requires a document path; operator or "
                                     "function: attribute_exists" },
        { "attribute_exists(n, s)",
                CE "Incorrect number of operands for operator or function; "
                   "operator or function: attribute_exists, number of operands: "
                   "2" },
        { "size(n, s) = :1", CE "Incorrect number of operands for operator or function; operator "
                                "or function: size, number of operands: 2" },
        { "begins_with(s, :1)", CE "Incorrect operand type for operator or function; operator or "
                                   "function: begins_with, operand type: N" },
        { "attribute_type(s, n)", CE "Incorrect operand type for operator or function; operator "
                                     "or function: attribute_type, operand type: "
                                     "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}" },
        { "attribute_type(s, :1)", CE "Incorrect operand type for operator or function; operator "
                                      "or function: attribute_type, operand type: N" },
        { "attribute_type(s, :DOG)", CE "Invalid attribute type name found; type: DOG, valid "
                                        "types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}" },
        { "size(:1) = :1", CE "Incorrect operand type for operator or function; operator or "
                              "function: size, operand type: N" },
        { "n < :m", CE "Incorrect operand type for operator or function; operator or function: <, "
                       "operand type: M" },
        { ":t >= n", CE "Incorrect operand type for operator or function; operator or function: "
                        ">=, operand type: BOOL" },
        { "n BETWEEN :l3 AND :l3", CE "Incorrect operand type for operator or function; operator "
                                      "or function: BETWEEN, operand type: L" },
        { "n BETWEEN :5 AND :1",
                CE "The BETWEEN operator requires upper bound to be greater than or equal to "
                   "lower bound; lower bound operand: AttributeValue: {N:5}, upper bound operand: "
                   "AttributeValue: {N:1}" },
        { "n BETWEEN :1 AND :a",
                CE "The BETWEEN operator requires same data type for lower and upper bounds; "
                   "lower bound operand: AttributeValue: {N:1}, upper bound operand: "
                   "AttributeValue: {S:a}" },
        { "n = n", CE "The first operand must be distinct from the remaining operands for this "
                      "operator or function; operator: =, first operand: [n]" },
        { "contains(m.y[1], m.y[1])", CE "The first operand must be distinct from the remaining "
                                         "operands for this operator or function; operator: "
                                         "contains, first operand: [m, y, [1]]" },
        { "((n = :1))", CE "The expression has redundant parentheses;" },
        { "((n)) = :1", CE "The expression has redundant parentheses;" },
        { "l[2147483648] = :1",
                CE "List index is not within the allowable range; index: [2147483648]" },
        /* The order of reporting is by kind. */
        { "n = :no AND status = :1",
                CE "Attribute name is a reserved keyword; reserved keyword: status" },
        { "n = :no AND dog(status) = :1", CE "Invalid function name; function: dog" },
        { "begins_with(s, :1) AND n = :no",
                CE "Incorrect operand type for operator or function; "
                   "operator or function: begins_with, operand type: N" },
    };
    (void)state;
    refuse(WEIR_DDB_CONDITION, cases, WEIR_COUNT(cases));
    static const struct refusal filter[] = {
        { " ", "Invalid FilterExpression: The expression can not be empty;" },
        { "n = :no", "Invalid FilterExpression: An expression attribute value used in expression "
                     "is not defined; attribute value: :no" },
    };
    refuse(WEIR_DDB_FILTER, filter, WEIR_COUNT(filter));
}

/* before, then part count times, then after. */
static const char *repeat(const char *before, const char *part, size_t count, const char *after)
{
    struct weir_str text = weir_str_z(before);
    char *p = weir_arena_alloc(&arena, text.n + strlen(part) * count + strlen(after) + 1);
    size_t n = text.n;
    memcpy(p, text.p, n);
    for (size_t i = 0; i < count; i++) {
        memcpy(p + n, part, strlen(part));
        n += strlen(part);
    }
    memcpy(p + n, after, strlen(after) + 1);
    return p;
}

static void limits_hold(void **state)
{
    (void)state;
    struct weir_item item = item_of(thing);
    assert_true(holds(repeat("n=:5", " OR s=:z", 149, ""), item));
    assert_true(holds(repeat("", "NOT ", 298, "n=:5"), item));
    assert_true(holds(repeat("n IN (", ":z,", 98, ":5)"), item));
    assert_true(holds(repeat("attribute_not_exists(m", ".y", 31, ")"), item));
    assert_true(holds(
            repeat("NOT (n=:5 AND ", "NOT (n=:5 AND ", 97, repeat("n=:5", ")", 98, "")), item));
    struct refusal cases[] = {
        { repeat("n=:5", " OR s=:z", 150, ""),
                CE "The expression contains too many operators; operator count: 301" },
        { repeat("n IN (", ":z,", 99, ":5)"),
                CE "The IN operator is provided with too many operands; number of operands: 101" },
        { repeat("attribute_not_exists(m", ".y", 32, ")"),
                CE "The document path has too many nesting levels; nesting levels: 33" },
        { repeat("n=", " ", 4093, ":5"),
                CE "Expression size has exceeded the maximum allowed size; expression size: "
                   "4097" },
    };
    refuse(WEIR_DDB_CONDITION, cases, WEIR_COUNT(cases));
    const struct weir_ddb_condition *condition = NULL;
    assert_int_equal(compile(WEIR_DDB_CONDITION, repeat("", "(", 4000, ""), &condition, NULL),
            WEIR_E_INVALID);
    assert_int_equal(compile(WEIR_DDB_CONDITION, repeat("", "size(", 800, ""), &condition, NULL),
            WEIR_E_INVALID);
}

static void every_placeholder_must_be_used(void **state)
{
    (void)state;
    struct weir_err err = { 0 };
    struct weir_ddb_context context = context_of("{'#a': {'S': 'a'}, '#b': {'S': 'b'}}",
            "{':v': {'N': '1'}, ':w': {'N': '1'}, ':x': {'N': '1'}}");
    const struct weir_ddb_condition *condition = NULL;
    assert_int_equal(weir_ddb_compile_condition(&arena, WEIR_DDB_CONDITION, WEIR_STR("#a = :v"),
                             &context, &condition, &err),
            WEIR_OK);
    assert_int_equal(weir_ddb_context_check_used(&context, &err), WEIR_E_INVALID);
    assert_string_equal(err.msg,
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}");
    const struct weir_ddb_projection *projection = NULL;
    assert_int_equal(
            weir_ddb_compile_projection(&arena, WEIR_STR("c.#b"), &context, &projection, &err),
            WEIR_OK);
    assert_int_equal(weir_ddb_context_check_used(&context, &err), WEIR_E_INVALID);
    assert_string_equal(err.msg,
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w, :x}");
    assert_int_equal(weir_ddb_compile_condition(&arena, WEIR_DDB_FILTER, WEIR_STR("x IN (:w, :x)"),
                             &context, &condition, &err),
            WEIR_OK);
    assert_int_equal(weir_ddb_context_check_used(&context, &err), WEIR_OK);
}

static void placeholder_maps_are_checked(void **state)
{
    (void)state;
    struct weir_err err = { 0 };
    struct weir_ddb_context context;
    struct weir_item none = { NULL, 0 };
    assert_int_equal(weir_ddb_context_init(&context, &arena, none, none, &err), WEIR_OK);
    assert_int_equal(
            weir_ddb_context_init(&context, &arena, item_of("{}"), none, &err), WEIR_E_INVALID);
    assert_string_equal(err.msg, "ExpressionAttributeNames must not be empty");
    assert_int_equal(
            weir_ddb_context_init(&context, &arena, none, item_of("{}"), &err), WEIR_E_INVALID);
    assert_string_equal(err.msg, "ExpressionAttributeValues must not be empty");
    assert_int_equal(
            weir_ddb_context_init(&context, &arena, item_of("{'a': {'S': 'a'}}"), none, &err),
            WEIR_E_INVALID);
    assert_string_equal(
            err.msg, "ExpressionAttributeNames contains invalid key: Syntax error; key: \"a\"");
    assert_int_equal(
            weir_ddb_context_init(&context, &arena, none, item_of("{':a-b': {'S': 'a'}}"), &err),
            WEIR_E_INVALID);
    assert_string_equal(
            err.msg, "ExpressionAttributeValues contains invalid key: Syntax error; key: \":a-b\"");
    assert_int_equal(
            weir_ddb_context_init(&context, &arena, item_of("{'#a': {'S': ''}}"), none, &err),
            WEIR_E_INVALID);
}

static void a_condition_tells_its_attributes(void **state)
{
    (void)state;
    const struct weir_ddb_condition *condition = NULL;
    assert_int_equal(
            compile(WEIR_DDB_FILTER, "#m.x = :1 AND size(l) > :1", &condition, NULL), WEIR_OK);
    assert_true(weir_ddb_condition_uses(condition, WEIR_STR("m")));
    assert_true(weir_ddb_condition_uses(condition, WEIR_STR("l")));
    assert_false(weir_ddb_condition_uses(condition, WEIR_STR("x")));
}

static void reserved_words_are_known_in_any_case(void **state)
{
    (void)state;
    static const char *const words[] = { "ABORT", "zone", "Name", "status", "LocalTimestamp", "as",
        "ttl", "TTL", "count", "year" };
    for (size_t i = 0; i < WEIR_COUNT(words); i++) {
        if (!weir_ddb_is_reserved(weir_str_z(words[i]))) {
            fail_msg("%s", words[i]);
        }
    }
    static const char *const free_words[] = { "", "a", "id", "zones", "zon", "pk", "price",
        "LOCALTIMESTAMPS", "abor", "aborted" };
    for (size_t i = 0; i < WEIR_COUNT(free_words); i++) {
        if (weir_ddb_is_reserved(weir_str_z(free_words[i]))) {
            fail_msg("%s", free_words[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(conditions_hold, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(conditions_do_not_hold, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(
                an_absent_item_has_no_attributes, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(
                syntax_errors_name_token_and_place, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(
                faults_have_the_services_messages, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(limits_hold, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(
                every_placeholder_must_be_used, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(placeholder_maps_are_checked, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(
                a_condition_tells_its_attributes, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(
                reserved_words_are_known_in_any_case, arena_setup, arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
