/* `alarms:`: a map of names to alarms. */
#include "config/config_int.h"
#include "mapping/mapping.h"

/* The names of a map, as zero-terminated texts. */
static const char *const *names_of(
        struct weir_arena *arena, const struct weir_conf *map, size_t *ret_count)
{
    *ret_count = 0;
    if (map == NULL || map->kind != WEIR_CONF_MAP) {
        return NULL;
    }
    const char **names = weir_arena_zero(arena, map->count, sizeof(*names));
    for (size_t i = 0; i < map->count; i++) {
        if (!map->names[i].broken) {
            names[(*ret_count)++] = weir_arena_str(arena, map->names[i].text).p;
        }
    }
    return names;
}

void weir_config_read_alarms(const struct weir_config_reader *reader,
        const struct weir_conf *alarms, const struct weir_conf *pipelines,
        const struct weir_conf *queues)
{
    struct weir_config *config = reader->config;
    if (alarms == NULL || alarms->kind == WEIR_CONF_NULL || alarms->broken) {
        return;
    }
    if (alarms->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, alarms,
                "alarms must be a map of names to alarms, not %s", weir_conf_show(alarms, shown));
        return;
    }
    struct weir_alarm_scope scope = {
        .diagnostics = reader->diagnostics,
        .arena = &config->arena,
    };
    scope.has_queues = true;
    scope.queues = names_of(&config->arena, queues, &scope.queue_count);
    scope.later = WEIR_MAPPING_PIPELINE;
    scope.pipelines = names_of(&config->arena, pipelines, &scope.pipeline_count);
    config->alarms = weir_arena_zero(&config->arena, alarms->count, sizeof(*config->alarms));
    for (size_t i = 0; i < alarms->count; i++) {
        const struct weir_conf *name = &alarms->names[i];
        if (name->broken || alarms->items[i].broken) {
            continue;
        }
        /* What is missing in an empty alarm is said at its name. */
        struct weir_conf empty = *name;
        empty.kind = WEIR_CONF_NULL;
        const struct weir_conf *at =
                alarms->items[i].kind == WEIR_CONF_NULL ? &empty : &alarms->items[i];
        weir_alarm_model_read(&scope, name, at, &config->alarms[config->alarm_count++]);
    }
}
