/* The server's own settings: where it listens, what it keeps, who may sign. */
#include "config/config_int.h"
#include "net/access.h"

static const struct weir_option server_options[] = {
    { "listen", "127.0.0.1:8000", "address and port; port 0 takes a free one", WEIR_OPTION_STRING,
            offsetof(struct weir_config_server, listen), 0, 0 },
    { "data", "data", "folder of the data, from the file's folder; memory keeps nothing on disk",
            WEIR_OPTION_STRING, offsetof(struct weir_config_server, data), 0, 0 },
    { "memory", "256MiB", "memory for caches and tables being written", WEIR_OPTION_BYTES,
            offsetof(struct weir_config_server, memory_bytes), 16 << 20, 0 },
    { "region", "us-east-1", "the region in ARNs and records", WEIR_OPTION_STRING,
            offsetof(struct weir_config_server, region), 0, 0 },
    { "account", "000000000000", "the account in ARNs", WEIR_OPTION_STRING,
            offsetof(struct weir_config_server, account), 0, 0 },
    { 0 },
};

static const struct weir_option log_options[] = {
    { "max_bytes", "", "what the log may take on disk; half of the free space by default",
            WEIR_OPTION_BYTES, offsetof(struct weir_config_server, log_max_bytes), 256 << 20, 0 },
    { "retention", "24h", "how long stream records are kept", WEIR_OPTION_DURATION,
            offsetof(struct weir_config_server, retention_ms), 60 * 1000,
            (uint64_t)365 * 24 * 3600 * 1000 },
    { 0 },
};

static const struct weir_option credential_options[] = {
    { "access_key_id", NULL, "the key's name, which requests carry", WEIR_OPTION_STRING,
            offsetof(struct weir_config_credential, access_key_id), 0, 0 },
    { "secret_access_key", NULL, "the secret that requests are signed with", WEIR_OPTION_STRING,
            offsetof(struct weir_config_credential, secret), 0, 0 },
    { 0 },
};

/* --- server -------------------------------------------------------------------------- */

/* The address of "ADDRESS:PORT" or "[ADDRESS]:PORT"; false when it is neither. */
static bool split_listen(struct weir_str listen, struct weir_str *ret_address)
{
    size_t colon = listen.n;
    while (colon > 0 && listen.p[colon - 1] != ':') {
        colon--;
    }
    uint64_t port = 0;
    if (colon < 2 || !weir_str_to_u64(weir_str(listen.p + colon, listen.n - colon), &port) ||
            port > 65535) {
        return false;
    }
    struct weir_str address = weir_str(listen.p, colon - 1);
    bool bracketed = address.n > 2 && address.p[0] == '[' && address.p[address.n - 1] == ']';
    if (bracketed) {
        address = weir_str(address.p + 1, address.n - 2);
    } else if (memchr(address.p, ':', address.n) != NULL ||
               memchr(address.p, '[', address.n) != NULL) {
        return false;
    }
    *ret_address = address;
    return true;
}

static void check_listen(const struct weir_config_reader *reader, const struct weir_conf *node)
{
    const struct weir_config_server *server = &reader->config->server;
    struct weir_str address = { 0 };
    if (node == NULL || node->broken || node->kind != WEIR_CONF_SCALAR) {
        return;
    }
    if (!split_listen(server->listen, &address)) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, node,
                "listen must be an address and a port, as in 127.0.0.1:8000 or [::1]:8000, not %s",
                weir_conf_show(node, shown));
    } else if (!weir_access_is_loopback(address) && server->credential_count == 0) {
        weir_conf_error(reader->diagnostics, node,
                "listening on %.*s needs `credentials`: without them only this machine may reach "
                "weir (127.0.0.1, [::1])",
                WEIR_STR_ARG(address));
    }
}

static bool consists_of(struct weir_str s, const char *signs)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\0' || strchr(signs, s.p[i]) == NULL) {
            return false;
        }
    }
    return s.n > 0;
}

static void check_arn_parts(const struct weir_config_reader *reader, const struct weir_conf *node)
{
    const struct weir_config_server *server = &reader->config->server;
    char shown[WEIR_CONF_SHOWN];
    const struct weir_conf *region = weir_conf_get(node, "region");
    if (!consists_of(server->region, "abcdefghijklmnopqrstuvwxyz0123456789-") ||
            server->region.n > 64) {
        weir_conf_error(reader->diagnostics, region,
                "region must be of a-z, 0-9 and '-', as in us-east-1, not %s",
                weir_conf_show(region, shown));
    }
    const struct weir_conf *account = weir_conf_get(node, "account");
    if (!consists_of(server->account, "0123456789") || server->account.n != 12) {
        weir_conf_error(reader->diagnostics, account,
                "account must be 12 digits, as in 000000000000, not %s",
                weir_conf_show(account, shown));
    }
}

/* A relative folder starts where the file is, as the paths of !file do. */
static void place_data(const struct weir_config_reader *reader, const struct weir_conf *node)
{
    struct weir_config_server *server = &reader->config->server;
    if (server->data.n == 0) {
        weir_conf_error(
                reader->diagnostics, weir_conf_get(node, "data"), "data must name a folder");
    } else if (server->data.p[0] != '/' && !weir_str_eq(server->data, WEIR_STR("memory"))) {
        server->data = weir_arena_printf(&reader->config->arena, "%.*s%.*s",
                WEIR_STR_ARG(reader->folder), WEIR_STR_ARG(server->data));
    }
}

/* --- credentials ------------------------------------------------------------------------ */

static void check_credential(const struct weir_config_reader *reader, const struct weir_conf *node,
        const struct weir_config_credential *credential)
{
    static const char signs[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const struct weir_config_server *server = &reader->config->server;
    const struct weir_conf *id = weir_conf_get(node, "access_key_id");
    const struct weir_conf *secret = weir_conf_get(node, "secret_access_key");
    char shown[WEIR_CONF_SHOWN];
    if (!consists_of(credential->access_key_id, signs) || credential->access_key_id.n > 128) {
        weir_conf_error(reader->diagnostics, id,
                "access_key_id must be 1 to 128 of a-z, A-Z, 0-9, '_' and '-', not %s",
                weir_conf_show(id, shown));
    }
    for (size_t i = 0; i < server->credential_count; i++) {
        if (weir_str_eq(server->credentials[i].access_key_id, credential->access_key_id)) {
            weir_conf_error(reader->diagnostics, id, "access_key_id %s is there twice",
                    weir_conf_show(id, shown));
            break;
        }
    }
    if (credential->secret.n == 0) {
        weir_conf_error(reader->diagnostics, secret, "secret_access_key must not be empty");
    } else if (!secret->secret) {
        weir_conf_warn(reader->diagnostics, secret,
                "a secret stands in the file: use !env NAME or !file PATH");
    }
}

static void read_credentials(const struct weir_config_reader *reader, const struct weir_conf *node)
{
    struct weir_config_server *server = &reader->config->server;
    if (node == NULL || node->kind == WEIR_CONF_NULL || node->broken) {
        return;
    }
    if (node->kind != WEIR_CONF_LIST) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, node,
                "credentials must be a list of { access_key_id: ..., secret_access_key: ... }, not "
                "%s",
                weir_conf_show(node, shown));
        return;
    }
    server->credentials =
            weir_arena_zero(&reader->config->arena, node->count, sizeof(*server->credentials));
    for (size_t i = 0; i < node->count; i++) {
        struct weir_config_credential credential = { 0 };
        if (weir_conf_options(reader->diagnostics, &node->items[i], "a credential",
                    credential_options, &credential)) {
            check_credential(reader, &node->items[i], &credential);
        }
        /* Counted even when wrong, so that `listen` does not ask for one that is there. */
        server->credentials[server->credential_count++] = credential;
    }
}

void weir_config_read_server(const struct weir_config_reader *reader,
        const struct weir_conf *server, const struct weir_conf *log,
        const struct weir_conf *credentials)
{
    struct weir_diagnostics *diagnostics = reader->diagnostics;
    read_credentials(reader, credentials);
    size_t errors = diagnostics->errors;
    weir_conf_options(diagnostics, server, "server", server_options, &reader->config->server);
    if (diagnostics->errors == errors) {
        check_arn_parts(reader, server);
        place_data(reader, server);
    }
    check_listen(reader, weir_conf_get(server, "listen"));
    weir_conf_options(diagnostics, log, "log", log_options, &reader->config->server);
}
