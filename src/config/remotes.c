/* `remotes:`: a map of names to what calls of them are signed with. */
#include "config/config_int.h"

enum { SECRET_MAX = 255, NAME_MAX_BYTES = 64 };

static const struct weir_option remote_options[] = {
    { "region", NULL, "the region that signatures name, as in us-east-1", WEIR_OPTION_STRING,
            offsetof(struct weir_remote, region), 0, 0 },
    { "access_key_id", NULL, "the key's name, which requests carry", WEIR_OPTION_STRING,
            offsetof(struct weir_remote, access_key_id), 0, 0 },
    { "secret_access_key", NULL, "the secret that requests are signed with", WEIR_OPTION_STRING,
            offsetof(struct weir_remote, secret_access_key), 0, 0 },
    { "session_token", "", "of temporary credentials", WEIR_OPTION_STRING,
            offsetof(struct weir_remote, session_token), 0, 0 },
    { 0 },
};

static void read_remote(const struct weir_config_reader *reader, const struct weir_conf *name,
        const struct weir_conf *node)
{
    struct weir_config *config = reader->config;
    struct weir_remote *remote = &config->remotes[config->remote_count++];
    char shown[WEIR_CONF_SHOWN];
    remote->name = name->text;
    if (name->text.n == 0 || name->text.n > NAME_MAX_BYTES) {
        weir_conf_error(reader->diagnostics, name, "a remote's name has 1 to %d characters, not %s",
                NAME_MAX_BYTES, weir_conf_show(name, shown));
    }
    if (!weir_conf_options(reader->diagnostics, node, "a remote", remote_options, remote)) {
        return;
    }
    const struct weir_conf *secret = weir_conf_get(node, "secret_access_key");
    if (remote->secret_access_key.n == 0 || remote->secret_access_key.n > SECRET_MAX) {
        weir_conf_error(reader->diagnostics, secret, "secret_access_key has 1 to %d characters",
                SECRET_MAX);
    } else if (!secret->secret) {
        weir_conf_warn(reader->diagnostics, secret,
                "a secret stands in the file: use !env NAME or !file PATH");
    }
    if (remote->region.n == 0 || remote->access_key_id.n == 0) {
        weir_conf_error(reader->diagnostics, name,
                "a remote needs region, access_key_id and secret_access_key");
    }
}

void weir_config_read_remotes(
        const struct weir_config_reader *reader, const struct weir_conf *remotes)
{
    struct weir_config *config = reader->config;
    if (remotes == NULL || remotes->kind == WEIR_CONF_NULL || remotes->broken) {
        return;
    }
    if (remotes->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, remotes,
                "remotes must be a map of names to remotes, not %s",
                weir_conf_show(remotes, shown));
        return;
    }
    config->remotes = weir_arena_zero(&config->arena, remotes->count, sizeof(*config->remotes));
    for (size_t i = 0; i < remotes->count; i++) {
        if (!remotes->names[i].broken && !remotes->items[i].broken) {
            read_remote(reader, &remotes->names[i], &remotes->items[i]);
        }
    }
}
