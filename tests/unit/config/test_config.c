/* weir.yaml: what it means, and what is said about one that is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "checked.h"

static void start(struct checked *checked, const char *yaml)
{
    check_text(checked, weir_str_z(yaml));
}

/* The file is right and nothing is to be said about it. */
static void start_right(struct checked *checked, const char *yaml)
{
    start(checked, yaml);
    assert_string_equal(checked->text.p, "");
    assert_int_equal(checked->rc, WEIR_OK);
}

/* What is said about one table `orders` with these options. */
static void assert_table_said(const char *options, const char *expected)
{
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "tables:\n  orders: %s\n", options);
    assert_said(yaml, expected);
}

#define assert_str(s, text) assert_true(weir_str_eq((s), WEIR_STR(text)) || (print_str(s), false))

static void print_str(struct weir_str s)
{
    print_error("found \"%.*s\"\n", WEIR_STR_ARG(s));
}

/* --- defaults ---------------------------------------------------------------------------- */

static void assert_defaults(const struct weir_config_server *server)
{
    assert_str(server->listen, "127.0.0.1:8000");
    assert_str(server->data, "data");
    assert_str(server->region, "us-east-1");
    assert_str(server->account, "000000000000");
    assert_int_equal(server->memory_bytes, 256 << 20);
    assert_int_equal(server->log_max_bytes, 0);
    assert_int_equal(server->retention_ms, 24 * 3600 * 1000);
    assert_int_equal(server->credential_count, 0);
}

static void without_a_file_there_are_defaults(void **state)
{
    (void)state;
    WEIR_AUTO(weir_config) struct weir_config *config = weir_config_create();
    assert_defaults(&config->server);
    assert_int_equal(config->table_count, 0);
    assert_int_equal(config->pipeline_count, 0);
}

static void empty_files_and_members_mean_defaults(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "# nothing\n", "{}",
        "tables:\npipelines:\nserver:\nlog:\ncredentials:\n", "tables: {}\npipelines: {}\n" };
    for (size_t i = 0; i < WEIR_COUNT(texts); i++) {
        struct checked checked;
        start_right(&checked, texts[i]);
        assert_defaults(&checked.config->server);
        assert_int_equal(checked.config->table_count, 0);
        check_end(&checked);
    }
}

/* --- server ------------------------------------------------------------------------------- */

static void server_log_and_credentials_are_read(void **state)
{
    (void)state;
    setenv("WEIR_TEST_SECRET", "hush", 1);
    struct checked checked;
    start_right(&checked, "server: { listen: '0.0.0.0:80', data: /var/lib/weir, memory: 1GiB,\n"
                          "  region: eu-central-1, account: 123456789012 }\n"
                          "log: { max_bytes: 10GiB, retention: 7d }\n"
                          "credentials:\n"
                          "  - { access_key_id: one, secret_access_key: !env WEIR_TEST_SECRET }\n"
                          "  - { access_key_id: two, secret_access_key: !env [NO_SUCH, dflt] }\n");
    const struct weir_config_server *server = &checked.config->server;
    assert_str(server->listen, "0.0.0.0:80");
    assert_str(server->data, "/var/lib/weir");
    assert_str(server->region, "eu-central-1");
    assert_str(server->account, "123456789012");
    assert_int_equal(server->memory_bytes, 1 << 30);
    assert_int_equal(server->log_max_bytes, (uint64_t)10 << 30);
    assert_int_equal(server->retention_ms, (uint64_t)7 * 24 * 3600 * 1000);
    assert_int_equal(server->credential_count, 2);
    assert_str(server->credentials[0].access_key_id, "one");
    assert_str(server->credentials[0].secret, "hush");
    assert_str(server->credentials[1].secret, "dflt");
    check_end(&checked);
}

static void addresses_to_listen_on(void **state)
{
    (void)state;
    static const char *const right[] = { "127.0.0.1:0", "localhost:8000", "'[::1]:8000'" };
    static const char *const wrong[] = { "8000", "127.0.0.1", "':80'", "127.0.0.1:65536",
        "127.0.0.1:http", "'::1:80'", "''", "'[]:80'" };
    char yaml[128];
    for (size_t i = 0; i < WEIR_COUNT(right); i++) {
        struct checked checked;
        snprintf(yaml, sizeof(yaml), "server: { listen: %s }", right[i]);
        start_right(&checked, yaml);
        check_end(&checked);
    }
    for (size_t i = 0; i < WEIR_COUNT(wrong); i++) {
        struct checked checked;
        snprintf(yaml, sizeof(yaml), "server: { listen: %s }", wrong[i]);
        start(&checked, yaml);
        assert_int_equal(checked.rc, WEIR_E_INVALID);
        assert_non_null(strstr(checked.text.p, "weir.yaml:1:19: error: listen must be an address "
                                               "and a port, as in 127.0.0.1:8000 or "
                                               "[::1]:8000, not "));
        check_end(&checked);
    }
    assert_said("server: { listen: '0.0.0.0:80' }",
            "weir.yaml:1:19: error: listening on 0.0.0.0 needs `credentials`: without them only "
            "this machine may reach weir (127.0.0.1, [::1])\n");
}

static void data_starts_at_the_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/weir-test-config-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/weir.yaml", folder);
    static const struct {
        const char *yaml;
        const char *data; /* behind the folder; NULL: as written */
    } cases[] = { { "", "/data" }, { "server: { data: a/b }", "/a/b" },
        { "server: { data: /x }", NULL } };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        FILE *file = fopen(path, "w");
        fputs(cases[i].yaml, file);
        fclose(file);
        struct weir_diagnostics diagnostics;
        struct weir_err err = { 0 };
        WEIR_AUTO(weir_config) struct weir_config *config = NULL;
        weir_diagnostics_init(&diagnostics, path);
        assert_int_equal(weir_config_load(path, weir_step_kinds_all(), &diagnostics, &config, &err),
                WEIR_OK);
        char expected[64];
        snprintf(expected, sizeof(expected), "%s%s", cases[i].data != NULL ? folder : "",
                cases[i].data != NULL ? cases[i].data : "/x");
        assert_true(weir_str_eq(config->server.data, weir_str_z(expected)));
        weir_diagnostics_fini(&diagnostics);
    }
    unlink(path);
    rmdir(folder);
}

static void memory_keeps_its_name(void **state)
{
    (void)state;
    struct checked checked;
    start_right(&checked, "server: { data: memory }");
    assert_str(checked.config->server.data, "memory");
    check_end(&checked);
}

static void wrong_server_settings(void **state)
{
    (void)state;
    assert_said("server:\n  memory: 1MiB\n  regoin: x\n  data: ''\n"
                "log: { retention: 5 }\n",
            "weir.yaml:2:11: error: option 'memory' is '1MiB', but must be at least 16MiB\n"
            "weir.yaml:3:3: error: unknown option 'regoin' of server; did you mean 'region'? "
            "(known: listen, data, memory, region, account)\n"
            "weir.yaml:5:19: error: option 'retention' must be a duration such as 250ms, 5s, 15m, "
            "24h or 7d, not '5': the unit is missing\n");
    assert_said("server: { region: 'US East', account: 12345, data: '' }",
            "weir.yaml:1:19: error: region must be of a-z, 0-9 and '-', as in us-east-1, not 'US "
            "East'\n"
            "weir.yaml:1:39: error: account must be 12 digits, as in 000000000000, not '12345'\n"
            "weir.yaml:1:52: error: data must name a folder\n");
}

static void wrong_credentials(void **state)
{
    (void)state;
    assert_said("credentials: { a: b }",
            "weir.yaml:1:14: error: credentials must be a list of { access_key_id: ..., "
            "secret_access_key: ... }, not a map\n");
    assert_said("credentials:\n"
                "  - { access_key_id: a b, secret_access_key: !env [NO_SUCH, x] }\n"
                "  - { access_key_id: two, secret_access_key: plain }\n"
                "  - { access_key_id: two, secret_access_key: '' }\n"
                "  - { access_key: x }\n",
            "weir.yaml:2:22: error: access_key_id must be 1 to 128 of a-z, A-Z, 0-9, '_' and '-', "
            "not 'a b'\n"
            "weir.yaml:3:46: warning: a secret stands in the file: use !env NAME or !file PATH\n"
            "weir.yaml:4:22: error: access_key_id 'two' is there twice\n"
            "weir.yaml:4:46: error: secret_access_key must not be empty\n"
            "weir.yaml:5:5: error: a credential needs the option 'access_key_id' (string): the "
            "key's name, which requests carry\n"
            "weir.yaml:5:5: error: a credential needs the option 'secret_access_key' (string): "
            "the secret that requests are signed with\n"
            "weir.yaml:5:7: error: unknown option 'access_key' of a credential; did you mean "
            "'access_key_id'? (known: access_key_id, secret_access_key)\n");
}

/* --- tables -------------------------------------------------------------------------------- */

static void tables_are_read_whole(void **state)
{
    (void)state;
    struct checked checked;
    start_right(&checked,
            "tables:\n"
            "  orders:\n"
            "    key: { customer: S, placed: N }\n"
            "    stream: keys_only\n"
            "    indexes:\n"
            "      by_state: { state: S }\n"
            "      wide: { key: { partition: { a: S, b: B }, sort: { c: N, d: S } },\n"
            "              projection: [x, y] }\n"
            "      thin: { key: { state: S, placed: N }, projection: keys_only }\n"
            "      whole: { key: { state: S }, projection: all }\n"
            "      odd: { key: S, projection: S }\n"
            "    ttl: expires\n"
            "    shards: 64\n"
            "    deletion_protection: true\n"
            "  bare:\n"
            "    key: { partition: { a: S } }\n");
    assert_int_equal(checked.config->table_count, 2);
    const struct weir_table *orders = &checked.config->tables[0];
    assert_str(orders->name, "orders");
    assert_int_equal(orders->key.partition_count, 1);
    assert_str(orders->key.partition[0].name, "customer");
    assert_int_equal(orders->key.partition[0].type, WEIR_TYPE_S);
    assert_int_equal(orders->key.sort_count, 1);
    assert_str(orders->key.sort[0].name, "placed");
    assert_int_equal(orders->key.sort[0].type, WEIR_TYPE_N);
    assert_int_equal(orders->view, WEIR_VIEW_KEYS_ONLY);
    assert_str(orders->ttl_attribute, "expires");
    assert_int_equal(orders->shards, 64);
    assert_true(orders->deletion_protection && orders->from_file);
    assert_str(orders->billing, "PAY_PER_REQUEST");
    assert_int_equal(orders->index_count, 5);
    const struct weir_index *index = orders->indexes;
    assert_int_equal(index[0].projection, WEIR_PROJECT_ALL);
    assert_int_equal(index[0].key.sort_count, 0);
    assert_int_equal(index[1].key.partition_count, 2);
    assert_int_equal(index[1].key.sort_count, 2);
    assert_int_equal(index[1].key.partition[1].type, WEIR_TYPE_B);
    assert_str(index[1].key.sort[1].name, "d");
    assert_int_equal(index[1].projection, WEIR_PROJECT_INCLUDE);
    assert_int_equal(index[1].include_count, 2);
    assert_str(index[1].include[1], "y");
    assert_int_equal(index[2].projection, WEIR_PROJECT_KEYS_ONLY);
    assert_int_equal(index[3].projection, WEIR_PROJECT_ALL);
    /* Attributes may have these names. */
    assert_str(index[4].key.partition[0].name, "key");
    assert_str(index[4].key.sort[0].name, "projection");
    const struct weir_table *bare = &checked.config->tables[1];
    assert_int_equal(bare->view, WEIR_VIEW_NONE);
    assert_int_equal(bare->shards, WEIR_TABLE_SHARDS_DEFAULT);
    assert_int_equal(bare->ttl_attribute.n, 0);
    assert_false(bare->deletion_protection);
    check_end(&checked);
}

static void attributes_may_be_called_partition_and_sort(void **state)
{
    (void)state;
    struct checked checked;
    start_right(&checked, "tables: { abc: { key: { sort: S, partition: N } } }");
    assert_str(checked.config->tables[0].key.partition[0].name, "sort");
    assert_str(checked.config->tables[0].key.sort[0].name, "partition");
    check_end(&checked);
}

static void wrong_keys(void **state)
{
    (void)state;
    assert_table_said("{ key: { id: string } }",
            "weir.yaml:2:24: error: key attribute 'id' must be of type S (string), N (number) or "
            "B (binary), not 'string'; did you mean S?\n");
    assert_table_said("{ key: { id: SS, n: Number } }",
            "weir.yaml:2:24: error: key attribute 'id' must be of type S (string), N (number) or "
            "B (binary), not 'SS'\n"
            "weir.yaml:2:31: error: key attribute 'n' must be of type S (string), N (number) or B "
            "(binary), not 'Number'; did you mean N?\n");
    assert_table_said("{ key: id }",
            "weir.yaml:2:18: error: the key of table 'orders' must name its attributes and their "
            "types, as in { id: S } or { customer: S, placed: N }, not 'id'\n");
    assert_table_said("{ key: { a: S, b: S, c: S } }",
            "weir.yaml:2:32: error: the short form of a key has a partition and a sort attribute; "
            "for more write { partition: { a: S }, sort: { b: S, c: N } }\n");
    assert_table_said("{ key: { partition: { a: S }, srot: { b: S } } }",
            "weir.yaml:2:41: error: unknown option 'srot' of key; did you mean 'sort'? (known: "
            "partition, sort)\n");
    assert_table_said("{ key: { sort: { a: S } } }",
            "weir.yaml:2:18: error: key needs the option 'partition' (value): the attributes "
            "whose values say where an item stands\n");
    assert_table_said("{ key: { partition: { a: S }, sort: { b: S, a: N } } }",
            "weir.yaml:2:55: error: attribute 'a' is in the partition key already\n");
    assert_table_said("{ key: { partition: a, sort: { b: S } } }",
            "weir.yaml:2:31: error: the partition key must name its attributes and their types, "
            "as in { id: S }, not 'a'\n");
    assert_table_said("{ key: { partition: { a: S, b: S, c: S, d: S, e: S } } }",
            "weir.yaml:2:57: error: the partition key has 5 attributes, at most 4 are possible\n");
}

static void wrong_tables(void **state)
{
    (void)state;
    assert_said("tables: []", "weir.yaml:1:9: error: tables must be a map of names to tables, not "
                              "a list\n");
    assert_said("tables:\n  orders:\n",
            "weir.yaml:2:3: error: table 'orders' needs the option 'key': the attributes that "
            "identify an item, as in { id: S }\n");
    assert_table_said("{ kye: { id: S } }",
            "weir.yaml:2:11: error: table 'orders' needs the option 'key' (value): the attributes "
            "that identify an item, and their types\n"
            "weir.yaml:2:13: error: unknown option 'kye' of table 'orders'; did you mean 'key'? "
            "(known: key, stream, indexes, ttl, shards, deletion_protection)\n");
    assert_table_said("{ key: { id: S }, stream: new_images, shards: 65, ttl: '' }",
            "weir.yaml:2:37: error: unknown stream 'new_images'; did you mean 'new_image'? "
            "(known: new_and_old_images, new_image, old_image, keys_only)\n"
            "weir.yaml:2:57: error: option 'shards' is '65', but must be from 1 to 64\n"
            "weir.yaml:2:66: error: ttl names an attribute of 1 to 255 bytes\n");
    assert_table_said("{ key: { id: S }, ttl: id }",
            "weir.yaml:2:34: warning: ttl attribute 'id' is a key of type S, but only numbers "
            "expire: no item will be deleted\n");
    assert_said("tables:\n  ab: { key: { id: S } }\n  a/bc: { key: { id: S } }\n",
            "weir.yaml:2:3: error: table name 'ab' must be 3 to 255 characters of a-z, A-Z, 0-9, "
            "'_', '-' and '.'\n"
            "weir.yaml:3:3: error: table name 'a/bc' must be 3 to 255 characters of a-z, A-Z, "
            "0-9, '_', '-' and '.'\n");
}

static void wrong_indexes(void **state)
{
    (void)state;
    assert_table_said("{ key: { id: S, at: N }, indexes: [by_tag] }",
            "weir.yaml:2:45: error: indexes of table 'orders' must be a map of names to keys, as "
            "in { by_tag: { tag: S } }, not a list\n");
    assert_table_said("{ key: { id: S, at: N }, indexes: { one: { tag: S, at: S },\n"
                      "    two: { key: { tag: N } }, b: { tag: S } } }",
            "weir.yaml:2:62: error: attribute 'at' is of type S here, but of type N in the "
            "table's key\n"
            "weir.yaml:3:19: error: attribute 'tag' is of type N here, but of type S in index "
            "'one'\n"
            "weir.yaml:3:31: error: index name 'b' must be 3 to 255 characters of a-z, A-Z, 0-9, "
            "'_', '-' and '.'\n");
    assert_table_said("{ key: { id: S }, indexes: { one: { key: { tag: S },\n"
                      "    projection: [a, a, id, {}] } } }",
            "weir.yaml:3:21: error: attribute 'a' is in the projection twice\n"
            "weir.yaml:3:24: warning: key attribute 'id' is in every index anyway: leave it out\n"
            "weir.yaml:3:28: error: a projection lists names of attributes, not a map\n");
    assert_table_said("{ key: { id: S }, indexes: { one: { key: { tag: S }, projection: some } } }",
            "weir.yaml:2:76: error: unknown projection 'some' (known: all, keys_only, a list of "
            "attributes)\n");
    assert_table_said("{ key: { id: S }, indexes: { one: { projection: all } } }",
            "weir.yaml:2:45: error: index 'one' needs the option 'key' (value): the attributes to "
            "find items by, and their types\n");
}

static void at_most_twenty_indexes(void **state)
{
    (void)state;
    struct weir_buf yaml;
    weir_buf_init(&yaml, 1 << 16);
    for (int count = 20; count <= 21; count++) {
        struct checked checked;
        weir_buf_reset(&yaml);
        weir_buf_z(&yaml, "tables:\n  orders:\n    key: { id: S }\n    indexes:\n");
        for (int i = 0; i < count; i++) {
            weir_buf_printf(&yaml, "      by_%d: { a%d: S }\n", i, i);
        }
        check_text(&checked, weir_buf_view(&yaml));
        assert_string_equal(checked.text.p,
                count == 20 ? ""
                            : "weir.yaml:25:7: error: table 'orders' has 21 indexes, at most 20 "
                              "are possible\n");
        check_end(&checked);
    }
    weir_buf_fini(&yaml);
}

/* --- pipelines ------------------------------------------------------------------------------ */

#define TWO_TABLES \
    "tables: { orders: { key: { id: S }, stream: new_image }, copies: { key: { id: S } } }\n"

static void pipelines_find_the_tables_of_the_file(void **state)
{
    (void)state;
    struct checked checked;
    start_right(&checked,
            TWO_TABLES "pipelines:\n"
                       "  copy:\n"
                       "    source: { table: orders, batch: 7 }\n"
                       "    steps: [put: { table: copies, item: { id: '${new.id}' } }]\n"
                       "  note:\n"
                       "    source: { table: orders }\n"
                       "    steps: [log: hello]\n");
    assert_int_equal(checked.config->pipeline_count, 2);
    assert_str(checked.config->pipelines[0]->name, "copy");
    assert_str(checked.config->pipelines[0]->tables[0], "orders");
    assert_int_equal(checked.config->pipelines[0]->batch, 7);
    assert_int_equal(checked.config->pipelines[0]->step_count, 1);
    /* One that was taken is not destroyed again. */
    weir_pipeline_model_destroy(WEIR_TAKE(checked.config->pipelines[0]));
    check_end(&checked);
}

static void wrong_pipelines(void **state)
{
    (void)state;
    assert_said("pipelines: [a]", "weir.yaml:1:12: error: pipelines must be a map of names to "
                                  "pipelines, not a list\n");
    assert_said(TWO_TABLES "pipelines:\n"
                           "  one:\n"
                           "  'the second':\n"
                           "    source: { table: copies }\n"
                           "    steps: [putt: {}]\n"
                           "  three:\n"
                           "    source: { tabel: orders, batch: 0 }\n"
                           "    filter: { eventName: INSERT }\n"
                           "    setps: []\n",
            "weir.yaml:3:3: error: pipeline 'one' needs the option 'source' (value): where records "
            "come from\n"
            "weir.yaml:3:3: error: pipeline 'one' needs the option 'steps' (value): what is done "
            "with the records\n"
            "weir.yaml:4:3: error: pipeline name 'the second' must be 1 to 128 characters of a-z, "
            "A-Z, 0-9, '_', '-' and '.'\n"
            "weir.yaml:5:22: error: table 'copies' has no stream: add `stream: "
            "new_and_old_images` to it\n"
            "weir.yaml:6:13: error: unknown step 'putt'; did you mean 'put'? (known: require, "
            "let, map, each, cooldown, debounce, put, project, send, invoke, log)\n"
            "weir.yaml:8:5: error: pipeline 'three' needs the option 'steps' (value): what is done "
            "with the records\n"
            "weir.yaml:8:13: error: source needs either `table`, a name, `tables`, a list of "
            "names, or `queue`, a name\n"
            "weir.yaml:8:15: error: unknown option 'tabel' of source; did you mean 'table'? "
            "(known: table, tables, queue, batch, window, concurrency, per_shard, stream, start)\n"
            "weir.yaml:8:37: error: option 'batch' is '0', but must be from 1 to 10000\n"
            "weir.yaml:9:26: error: eventName: expected an object, or a list of alternatives like "
            "[\"x\"], found a string\n"
            "weir.yaml:10:5: error: unknown option 'setps' of pipeline 'three'; did you mean "
            "'steps'? (known: source, filter, when, steps, retry, on_failure, quarantine)\n");
}

#define FUNCTION "functions: { f: { url: 'http://127.0.0.1:1/' } }\n"

static void wrong_windows(void **state)
{
    (void)state;
    assert_said(TWO_TABLES FUNCTION
            "queues: { mail: {} }\n"
            "pipelines:\n"
            "  one:\n"
            "    source: { table: orders, per_shard: 2 }\n"
            "    steps:\n"
            "      - invoke: { function: f, window: 1500ms }\n"
            "      - project: { table: copies, items: [{ id: '${new.id}' }] }\n"
            "  two:\n"
            "    source: { table: orders }\n"
            "    steps:\n"
            "      - invoke: { function: f, window: 1m, payload: { id: '${new.id}' } }\n"
            "      - invoke: { function: f, window: 2m }\n"
            "      - debounce: { period: 1m }\n"
            "  three:\n"
            "    source: { queue: mail }\n"
            "    steps: [invoke: { function: f, window: 1m }]\n",
            "weir.yaml:6:41: error: with a `window` each shard has one batch in flight: "
            "`per_shard` "
            "can only be 1\n"
            "weir.yaml:8:7: error: the step project cannot stand behind one with a `window`: the "
            "end "
            "of a window is the record of no item\n"
            "weir.yaml:8:40: error: a window lasts whole seconds\n"
            "weir.yaml:13:7: error: only one step of a pipeline can have a `window`\n"
            "weir.yaml:13:7: error: the step debounce cannot stand behind one with a `window`: the "
            "end "
            "of a window is the record of no item\n"
            "weir.yaml:13:40: error: with `payload` each event is an invocation of its own, not "
            "part "
            "of a window\n"
            "weir.yaml:18:12: error: `window` is for records of tables, whose shards it divides, "
            "not "
            "for a queue's messages\n");
}

static void a_table_that_is_wrong_is_still_known(void **state)
{
    (void)state;
    assert_said("tables: { orders: { key: { id: X }, stream: all } }\n"
                "pipelines: { note: { source: { table: orders }, steps: [log: hello] } }\n",
            "weir.yaml:1:32: error: key attribute 'id' must be of type S (string), N (number) or "
            "B (binary), not 'X'\n"
            "weir.yaml:1:45: error: unknown stream 'all' (known: new_and_old_images, new_image, "
            "old_image, keys_only)\n");
}

static void fan_out_without_the_variable_in_the_key_is_warned_of(void **state)
{
    (void)state;
    struct checked checked;
    start(&checked, TWO_TABLES
            "pipelines:\n"
            "  copy:\n"
            "    source: { table: orders }\n"
            "    steps:\n"
            "      - each: { in: new.tags, as: tag }\n"
            "      - put: { table: copies, item: { id: '${new.id}', tag: '${tag}' } }\n");
    assert_int_equal(checked.rc, WEIR_OK);
    assert_int_equal(checked.diagnostics.count, 1);
    assert_int_equal(checked.diagnostics.all[0].level, WEIR_DIAGNOSTIC_WARNING);
    assert_int_equal(checked.diagnostics.all[0].line, 7);
    assert_non_null(strstr(checked.text.p, "'tag'"));
    check_end(&checked);
}

/* --- the whole ------------------------------------------------------------------------------- */

static void a_misspelt_target_is_pointed_out(void **state)
{
    (void)state;
    assert_said("tables:\n"
                "  orders: { key: { id: S }, stream: new_image }\n"
                "  open-orders: { key: { id: S } }\n"
                "pipelines:\n"
                "  p:\n"
                "    source: { table: orders }\n"
                "    steps:\n"
                "      - put: { table: open-order, item: { id: \"${new.id}\" } }\n",
            "weir.yaml:8:23: warning: no table 'open-order' in this file: the pipeline waits until "
            "the API creates it; did you mean 'open-orders'?\n");
}

/* --- alarms ------------------------------------------------------------------------------ */

static void an_alarm_as_written(void **state)
{
    (void)state;
    struct checked checked;
    start_right(&checked,
            "tables: { t-a: { key: { id: S }, stream: new_image } }\n"
            "pipelines: { p: { source: { table: t-a }, steps: [log: x] } }\n"
            "alarms:\n"
            "  lag:\n"
            "    metric: weir_pipeline_oldest_unprocessed_milliseconds\n"
            "    labels: { pipeline: p }\n"
            "    statistic: max\n"
            "    period: 30s\n"
            "    periods: 5\n"
            "    datapoints: 3\n"
            "    at_least: 1.5e3\n"
            "    missing: not_breaching\n"
            "    actions: [log]\n"
            "    ok_actions: []\n"
            "  errors: { metric: weir_pipeline_errors_total, statistic: rate, below: -1,\n"
            "    actions: log }\n");
    assert_int_equal(checked.config->alarm_count, 2);
    const struct weir_alarm_model *alarm = &checked.config->alarms[0];
    assert_str(alarm->name, "lag");
    assert_int_equal(alarm->label_count, 1);
    assert_str(alarm->labels[0].value, "p");
    assert_int_equal(alarm->statistic, WEIR_ALARM_MAX);
    assert_int_equal(alarm->period_ms, 30000);
    assert_int_equal(alarm->periods, 5);
    assert_int_equal(alarm->datapoints, 3);
    assert_int_equal(alarm->comparison, WEIR_ALARM_AT_LEAST);
    assert_true(alarm->threshold == 1500);
    assert_int_equal(alarm->missing, WEIR_ALARM_NOT_BREACHING);
    assert_int_equal(alarm->actions[WEIR_ALARM_ALARM].count, 1);
    assert_int_equal(alarm->actions[WEIR_ALARM_OK].count, 0);
    alarm++;
    assert_int_equal(alarm->period_ms, 60000);
    assert_int_equal(alarm->datapoints, 1);
    assert_int_equal(alarm->comparison, WEIR_ALARM_BELOW);
    assert_true(alarm->threshold == -1);
    assert_int_equal(alarm->actions[WEIR_ALARM_OK].count, 1);
    assert_int_equal(alarm->actions[WEIR_ALARM_INSUFFICIENT].count, 0);
    check_end(&checked);
}

static void mistakes_in_alarms(void **state)
{
    (void)state;
    assert_said("alarms: [a]\n",
            "weir.yaml:1:9: error: alarms must be a map of names to alarms, not a list\n");
    assert_said("alarms:\n"
                "  'a b': { metric: weir_log_bytes, statistic: maximum, above: 1, below: 2 }\n"
                "  empty:\n",
            "weir.yaml:2:3: error: alarm name 'a b' must be 1 to 255 characters of a-z, A-Z, 0-9, "
            "'_', '-' and '.'\n"
            "weir.yaml:2:47: error: unknown statistic 'maximum' (known: min, max, average, sum, "
            "rate)\n"
            "weir.yaml:2:73: error: alarm 'a b' has two bounds; it takes one of above, at_least, "
            "below and at_most\n"
            "weir.yaml:3:3: error: alarm 'empty' needs the option 'metric' (string): a metric of "
            "/metrics\n"
            "weir.yaml:3:3: error: alarm 'empty' needs the option 'statistic' (value): what a "
            "period's "
            "datapoint is: min, max, average, sum or rate\n");
    assert_said("alarms:\n"
                "  a: { metric: weir_log_bytes, statistic: max }\n"
                "  b: { metric: weir_log_bytes, statistic: max, above: 1s }\n"
                "  c: { metric: weir_log_bytes, statistic: max, above: '1' }\n"
                "  d: { metric: weir_log_bytes, statistic: max, above: 0x10 }\n",
            "weir.yaml:2:6: error: alarm 'a' needs a bound: one of above, at_least, below and "
            "at_most\n"
            "weir.yaml:3:55: error: above takes a number, as in 60000 or 0.5, not '1s'\n"
            "weir.yaml:4:55: error: above takes a number, as in 60000 or 0.5, not '1'\n"
            "weir.yaml:5:55: error: above takes a number, as in 60000 or 0.5, not '0x10'\n");
    assert_said(
            "alarms:\n"
            "  a: { metric: weir_log_bytes, statistic: max, above: 1, periods: 3,\n"
            "    datapoints: 4, missing: ignored }\n"
            "  b: { metric: weir_log_bytes, statistic: max, above: 1, periods: 8, period: 24h,\n"
            "    actions: [log, mail, { http: x }, { post: y }] }\n",
            "weir.yaml:3:17: error: 4 datapoints cannot breach in 3 periods\n"
            "weir.yaml:3:29: error: unknown treatment of missing data 'ignored'; did you mean "
            "'ignore'? (known: missing, ignore, breaching, not_breaching)\n"
            "weir.yaml:4:67: error: alarm 'b' looks back further than 7 days\n"
            "weir.yaml:5:20: error: unknown action 'mail' (known: log, queue: NAME, http: URL)\n"
            "weir.yaml:5:34: error: http takes a URL, as in https://example.com/hook, not 'x'\n"
            "weir.yaml:5:41: error: unknown action 'post' (known: queue, http)\n");
}

static void remotes_are_checked(void **state)
{
    (void)state;
    setenv("REMOTE_SECRET", "x", 1);
    assert_said("tables: { things: { key: { id: S }, stream: new_image } }\n"
                "queues: { q: {} }\n"
                "remotes:\n"
                "  a: { region: r, access_key_id: k, secret_access_key: !env REMOTE_SECRET }\n"
                "  b: { region: r, access_key_id: k, secret_access_key: x }\n"
                "pipelines:\n"
                "  p:\n"
                "    source: { table: things }\n"
                "    steps:\n"
                "      - { id: s1, send: { url: \"http://h/q\", remote: a } }\n"
                "      - { id: s2, send: { url: \"http://h/q\", remote: c } }\n"
                "      - { id: s3, send: { url: \"http://h/q\" } }\n"
                "      - { id: s4, send: { url: h, remote: a } }\n"
                "      - { id: s5, send: { queue: q, remote: a } }\n"
                "      - { id: s6, send: { body: x } }\n"
                "      - { id: s7, send: { url: \"http://h/q.fifo\", remote: a, delay: 1s } }\n",
            "weir.yaml:5:56: warning: a secret stands in the file: use !env NAME or !file PATH\n"
            "weir.yaml:11:54: error: unknown remote 'c' (known: a, b)\n"
            "weir.yaml:12:32: error: a remote queue needs a remote that signs for it: remote: "
            "NAME, "
            "one of `remotes`\n"
            "weir.yaml:13:32: error: cannot fetch \"h\": expected http:// or https://\n"
            "weir.yaml:14:45: error: remote goes with a url only: a queue of this weir has the "
            "message with the batch\n"
            "weir.yaml:15:25: error: send needs one of: queue (of this weir, by name) and url (of "
            "a "
            "remote one)\n"
            "weir.yaml:16:69: error: a FIFO queue takes no delay of single messages: give queue "
            "'http://h/q.fifo' a `delay`\n");
    assert_said("remotes: [a]\n",
            "weir.yaml:1:10: error: remotes must be a map of names to remotes, not a list\n");
}

static void queues_of_alarms(void **state)
{
    (void)state;
    assert_said("queues: { tell: {} }\n"
                "alarms:\n"
                "  a: { metric: weir_queue_messages, labels: { queue: tel }, statistic: max,\n"
                "    above: 1, actions: [{ queue: tall }, { queue: tell }] }\n",
            "weir.yaml:3:54: warning: queue 'tel' is not in the file; did you mean 'tell'?\n"
            "weir.yaml:4:34: error: unknown queue 'tall'; did you mean 'tell'? (known: tell)\n");
}

static void metrics_of_alarms(void **state)
{
    (void)state;
    assert_said("alarms:\n"
                "  a: { metric: weir_log_byte, statistic: max, above: 1 }\n"
                "  b: { metric: disk, statistic: max, above: 1 }\n"
                "  c: { metric: weir_log_bytes, labels: { disk: 1 }, statistic: rate, above: 1 }\n"
                "  d: { metric: weir_commits_total, statistic: max, above: 1 }\n"
                "  e: { metric: weir_log_sync_seconds, statistic: max, above: 1 }\n"
                "  f: { metric: weir_log_sync_seconds_count, statistic: rate, above: 1 }\n",
            "weir.yaml:2:16: warning: weir has no metric 'weir_log_byte'; did you mean "
            "'weir_log_bytes'?\n"
            "weir.yaml:3:16: warning: weir has no metric 'disk'; GET /metrics lists them\n"
            "weir.yaml:4:42: error: weir_log_bytes has no label 'disk', and no other\n"
            "weir.yaml:4:64: error: weir_log_bytes goes up and down: rate is for counters; take "
            "max, min or average\n"
            "weir.yaml:5:47: warning: weir_commits_total counts since weir was started; rate is "
            "how much it grows in a period\n"
            "weir.yaml:6:50: error: weir_log_sync_seconds is a histogram: it has an average, a "
            "sum, and a rate, which is how many there were\n");
    assert_said("tables: { t-a: { key: { id: S }, stream: new_image } }\n"
                "pipelines: { orders: { source: { table: t-a }, steps: [log: x] } }\n"
                "alarms:\n"
                "  a: { metric: weir_pipeline_errors_total, labels: { pipeline: order },\n"
                "    statistic: rate, above: 1 }\n"
                "  b: { metric: weir_pipeline_errors_total, labels: { pipelin: orders },\n"
                "    statistic: rate, above: 1 }\n"
                "  c: { metric: weir_pipeline_errors_total, labels: { pipeline: mapping-1-2 },\n"
                "    statistic: rate, above: 1 }\n",
            "weir.yaml:4:64: error: there is no pipeline 'order'; did you mean 'orders'?\n"
            "weir.yaml:6:54: error: weir_pipeline_errors_total has no label 'pipelin', only "
            "'pipeline'\n");
}

static void queues_are_read_whole(void **state)
{
    (void)state;
    struct checked checked;
    check_text(&checked,
            WEIR_STR("queues:\n"
                     "  work: { visibility_timeout: 45s, delay: 1m, retention: 1d,\n"
                     "    wait: 20s, max_bytes: 2KiB, redrive: { queue: dead, after: 3 } }\n"
                     "  dead:\n"
                     "  o.fifo: { fifo: true, deduplicate_content: true }\n"));
    assert_int_equal(checked.rc, WEIR_OK);
    assert_int_equal(checked.config->queue_count, 3);
    const struct weir_queue *work = &checked.config->queues[0];
    assert_true(weir_str_eq(work->name, WEIR_STR("work")));
    assert_int_equal(work->visibility_ms, 45 * 1000);
    assert_int_equal(work->delay_ms, 60 * 1000);
    assert_int_equal(work->retention_ms, 24 * 3600 * 1000);
    assert_int_equal(work->wait_ms, 20 * 1000);
    assert_int_equal(work->max_bytes, 2048);
    assert_true(weir_str_eq(work->dead_letters, WEIR_STR("dead")));
    assert_int_equal(work->max_receives, 3);
    assert_true(work->from_file);
    struct weir_queue plain = weir_queue_defaults(WEIR_STR("dead"));
    assert_null(weir_queue_difference(&checked.config->queues[1], &plain));
    assert_true(checked.config->queues[2].fifo && checked.config->queues[2].dedup_by_content);
    check_end(&checked);
}

static void wrong_queues(void **state)
{
    (void)state;
    assert_said("queues: { a: { redrive: { queue: b, after: 0 } } }\n",
            "weir.yaml:1:44: error: option 'after' is '0', but must be from 1 to 1000\n");
    assert_said("queues: { work: { redrive: { queue: wrk, after: 1 } }, other: }\n",
            "weir.yaml:1:37: error: unknown queue 'wrk'; did you mean 'work'? (known: work, "
            "other)\n");
    assert_said("queues: { a: { redrive: { queue: a, after: 1 } } }\n",
            "weir.yaml:1:34: error: a queue cannot be its own dead-letter queue\n");
    assert_said("queues: { a: { redrive: { queue: b.fifo, after: 1 } }, b.fifo: }\n",
            "weir.yaml:1:34: error: the dead-letter queue of a FIFO queue is a FIFO queue, and of "
            "another one is not\n");
    assert_said("queues: { a: { deduplicate_content: true } }\n",
            "weir.yaml:1:37: error: queue 'a': only FIFO queues deduplicate; the name of one ends "
            "in .fifo\n");
    assert_said("queues: [a]\n",
            "weir.yaml:1:9: error: queues must be a map of names to queues, not a list\n");
}

static void schedules_of_the_file(void **state)
{
    (void)state;
    struct checked checked;
    start_right(&checked,
            "queues: { work:, failed:, in-order.fifo: }\n"
            "schedules:\n"
            "  a: { cron: '30 9 ? * MON-FRI *', timezone: Europe/Berlin, target: { queue: work },\n"
            "       input: { n: [1, two] }, missed: all, window: 15m, retries: 3, max_age: 1h,\n"
            "       start: 2026-01-01T00:00:00Z, end: 2027-01-01T00:00:00Z,\n"
            "       on_failure: { queue: failed }, description: why }\n"
            "  b: { rate: 5 minutes, target: { queue: in-order.fifo, group: g }, enabled: false }\n"
            "  c: { rate: 90s, target: { queue: work }, input: a text }\n"
            "  d: { at: '2026-11-21T09:30:00.5', target: { queue: work }, missed: skip }\n"
            "  e: { cron: cron(0 0 1 1 ? *), target: { queue: work }, input: '{\"a\": 1}' }\n");
    const struct weir_schedule *all = checked.config->schedules;
    assert_int_equal(checked.config->schedule_count, 5);
    assert_true(weir_str_eq(all[0].group, WEIR_SCHEDULE_FILE_GROUP));
    assert_true(weir_str_eq(all[0].expression, WEIR_STR("cron(30 9 ? * MON-FRI *)")));
    assert_true(weir_str_eq(all[0].target.input, WEIR_STR("{\"n\":[1,\"two\"]}")));
    assert_true(
            weir_str_eq(all[0].target.arn, WEIR_STR("arn:aws:sqs:us-east-1:000000000000:work")));
    assert_true(weir_str_eq(
            all[0].target.dead_letters, WEIR_STR("arn:aws:sqs:us-east-1:000000000000:failed")));
    assert_int_equal(all[0].missed, WEIR_MISSED_ALL);
    assert_int_equal(all[0].start.ms, 1767225600000);
    assert_int_equal(all[0].window_ms, 15 * 60 * 1000);
    assert_int_equal(all[0].target.max_retries, 3);
    assert_true(weir_str_eq(all[1].expression, WEIR_STR("rate(5 minutes)")));
    assert_false(all[1].enabled);
    assert_null(all[1].target.input.p);
    assert_true(weir_str_eq(all[2].expression, WEIR_STR("90s")));
    assert_true(weir_str_eq(all[2].target.input, WEIR_STR("a text")));
    assert_true(weir_str_eq(all[3].expression, WEIR_STR("at(2026-11-21T09:30:00.5)")));
    assert_true(weir_str_eq(all[4].target.input, WEIR_STR("{\"a\": 1}")));
    check_end(&checked);
    assert_said(
            "queues: { work: }\n"
            "schedules:\n"
            "  a: { cron: 70 2 * * ? *, target: { queue: wrk } }\n"
            "  b: { rate: 5m, at: '2026-01-01T00:00:00', target: { queue: work, function: f } }\n"
            "  c: { target: { queue: work }, start: tomorrow }\n"
            "  d: { rate: 5m, timezone: Mars, target: { queue: work } }\n"
            "  e: { rate: 5m, target: { queue: work, group: g }, missed: twice }\n"
            "  f: { rate: [5m], target: work }\n",
            "weir.yaml:3:14: error: schedule 'a': '70' is no minutes: 0 to 59 is expected\n"
            "weir.yaml:3:45: error: unknown queue 'wrk'; did you mean 'work'? (known: work)\n"
            "weir.yaml:4:14: error: schedule 'b' has one of at, rate and cron, not two\n"
            "weir.yaml:4:53: error: the target of schedule 'b' is { queue: NAME } or "
            "{ function: NAME }\n"
            "weir.yaml:5:3: error: schedule 'c' needs one of at, rate and cron\n"
            "weir.yaml:5:40: error: a time in UTC is expected, as in 2026-11-21T09:30:00Z, not "
            "'tomorrow'\n"
            "weir.yaml:6:28: error: schedule 'd': Invalid ScheduleExpressionTimezone Mars: UTC, a "
            "name such as Europe/Berlin or an offset such as +01:00 is expected\n"
            "weir.yaml:7:61: error: unknown policy for missed firings 'twice' (known: one, skip, "
            "all)\n"
            "weir.yaml:8:14: error: an expression is expected, as in cron: \"30 9 ? * MON-FRI "
            "*\", not a list\n"
            "weir.yaml:8:28: error: target of schedule 'f' takes a map of options, not 'work'\n");
    assert_said("queues: { work: }\nschedules: { a: { cron: 0 0 30 2 ? *, target: { queue: work } "
                "} }\n",
            "weir.yaml:2:14: warning: schedule 'a' never fires\n");
}

static void unknown_members(void **state)
{
    (void)state;
    assert_said("tabels: {}\nbuses: { q: {} }\nchannels:\n",
            "weir.yaml:1:1: error: unknown member 'tabels'; did you mean 'tables'? (known: "
            "tables, queues, remotes, functions, schedules, pipelines, alarms, server, log, "
            "credentials)\n"
            "weir.yaml:2:1: error: 'buses' is not available in this version of weir "
            "(" WEIR_VERSION ")\n"
            "weir.yaml:3:1: error: 'channels' is not available in this version of weir "
            "(" WEIR_VERSION ")\n");
    assert_said("- tables\n",
            "weir.yaml:1:1: error: the file must be a map of tables, queues, remotes, "
            "functions, schedules, pipelines, alarms, server, log and credentials, not a "
            "list\n");
}

static void mistakes_of_all_parts_come_in_one_pass(void **state)
{
    (void)state;
    assert_said("server: { memory: 1 }\n"
                "tables:\n"
                "  orders: { key: { id: T } }\n"
                "  orders: { key: { id: S } }\n"
                "credentials: [{ access_key_id: a, secret_access_key: !env NO_SUCH_VARIABLE }]\n"
                "other: 1\n",
            "weir.yaml:1:19: error: option 'memory' is '1', but must be at least 16MiB\n"
            "weir.yaml:3:24: error: key attribute 'id' must be of type S (string), N (number) or "
            "B (binary), not 'T'\n"
            "weir.yaml:4:3: error: 'orders' stands here twice: it is already at 3:3\n"
            "weir.yaml:5:54: error: environment variable NO_SUCH_VARIABLE is not set and has no "
            "default: set it, or write !env \"NO_SUCH_VARIABLE, default\"\n"
            "weir.yaml:6:1: error: unknown member 'other' (known: tables, queues, remotes, "
            "functions, "
            "schedules, pipelines, alarms, server, log, credentials)\n");
}

static void the_error_counts(void **state)
{
    (void)state;
    struct checked checked;
    start(&checked, "x: 1\n");
    assert_int_equal(checked.err.code, WEIR_E_INVALID);
    assert_string_equal(checked.err.msg, "weir.yaml has 1 error");
    check_end(&checked);
    start(&checked, "x: 1\ny: 1\n");
    assert_string_equal(checked.err.msg, "weir.yaml has 2 errors");
    check_end(&checked);
    start(&checked, "tables: {\n");
    assert_int_equal(checked.rc, WEIR_E_INVALID);
    assert_int_equal(checked.diagnostics.errors, 1);
    check_end(&checked);
}

static void too_large_is_said_like_the_rest(void **state)
{
    (void)state;
    struct weir_buf yaml;
    struct checked checked;
    weir_buf_init(&yaml, 1 << 16);
    for (int i = 0; i < 100; i++) {
        weir_buf_byte(&yaml, '[');
    }
    for (int i = 0; i < 100; i++) {
        weir_buf_byte(&yaml, ']');
    }
    check_text(&checked, weir_buf_view(&yaml));
    assert_int_equal(checked.rc, WEIR_E_INVALID);
    assert_int_equal(checked.diagnostics.errors, 1);
    assert_non_null(strstr(checked.text.p, "nested more than 64 levels deep"));
    check_end(&checked);
    weir_buf_fini(&yaml);
}

static void a_missing_file_is_not_found(void **state)
{
    (void)state;
    struct weir_diagnostics diagnostics;
    struct weir_config *config = NULL;
    struct weir_err err = { 0 };
    weir_diagnostics_init(&diagnostics, "/no-such-folder/weir.yaml");
    assert_int_equal(weir_config_load("/no-such-folder/weir.yaml", weir_step_kinds_all(),
                             &diagnostics, &config, &err),
            WEIR_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/no-such-folder/weir.yaml"));
    assert_null(config);
    weir_diagnostics_fini(&diagnostics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_there_are_defaults),
        cmocka_unit_test(empty_files_and_members_mean_defaults),
        cmocka_unit_test(server_log_and_credentials_are_read),
        cmocka_unit_test(addresses_to_listen_on),
        cmocka_unit_test(data_starts_at_the_file),
        cmocka_unit_test(memory_keeps_its_name),
        cmocka_unit_test(wrong_server_settings),
        cmocka_unit_test(wrong_credentials),
        cmocka_unit_test(tables_are_read_whole),
        cmocka_unit_test(attributes_may_be_called_partition_and_sort),
        cmocka_unit_test(wrong_keys),
        cmocka_unit_test(wrong_tables),
        cmocka_unit_test(wrong_indexes),
        cmocka_unit_test(at_most_twenty_indexes),
        cmocka_unit_test(pipelines_find_the_tables_of_the_file),
        cmocka_unit_test(wrong_pipelines),
        cmocka_unit_test(wrong_windows),
        cmocka_unit_test(a_table_that_is_wrong_is_still_known),
        cmocka_unit_test(fan_out_without_the_variable_in_the_key_is_warned_of),
        cmocka_unit_test(a_misspelt_target_is_pointed_out),
        cmocka_unit_test(an_alarm_as_written),
        cmocka_unit_test(mistakes_in_alarms),
        cmocka_unit_test(metrics_of_alarms),
        cmocka_unit_test(remotes_are_checked),
        cmocka_unit_test(queues_of_alarms),
        cmocka_unit_test(queues_are_read_whole),
        cmocka_unit_test(wrong_queues),
        cmocka_unit_test(schedules_of_the_file),
        cmocka_unit_test(unknown_members),
        cmocka_unit_test(mistakes_of_all_parts_come_in_one_pass),
        cmocka_unit_test(the_error_counts),
        cmocka_unit_test(too_large_is_said_like_the_rest),
        cmocka_unit_test(a_missing_file_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
