/*
 * weir.yaml as a whole. What is accepted must be complete: tables that pass weir_table_check, and
 * pipelines with a source and steps; what is refused must have been complained about, in order.
 */
#include "base/mem.h"
#include "config/config.h"
#include "step/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses up to a few KiB on some faulty texts; our own leaks still count. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so";
}

static void check_config(const struct weir_config *config)
{
    weir_assert(config->server.listen.n > 0 && config->server.data.n > 0);
    for (size_t i = 0; i < config->table_count; i++) {
        weir_assert(weir_table_check(&config->tables[i], NULL) == WEIR_OK);
    }
    for (size_t i = 0; i < config->pipeline_count; i++) {
        const struct weir_pipeline_model *model = config->pipelines[i];
        weir_assert(model->table_count > 0 && model->step_count > 0 && model->batch > 0);
    }
}

static void check_diagnostics(const struct weir_diagnostics *diagnostics)
{
    for (size_t i = 1; i < diagnostics->count; i++) {
        const struct weir_diagnostic *a = &diagnostics->all[i - 1];
        const struct weir_diagnostic *b = &diagnostics->all[i];
        weir_assert(a->line < b->line || (a->line == b->line && a->column <= b->column));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 64 << 10 || memmem(data, size, "/dev", 4) != NULL ||
            memmem(data, size, "/proc", 5) != NULL) {
        return 0; /* !file of a terminal would wait for somebody to type */
    }
    WEIR_AUTO(weir_config) struct weir_config *config = NULL;
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    weir_diagnostics_init(&diagnostics, "no-such-folder/weir.yaml");
    enum weir_rc rc = weir_config_parse(
            weir_str((const char *)data, size), weir_step_kinds_all(), &diagnostics, &config, &err);
    weir_assert((rc == WEIR_OK) == (config != NULL));
    weir_assert((rc == WEIR_OK) == (diagnostics.errors == 0));
    weir_assert(rc == WEIR_OK || rc == WEIR_E_INVALID);
    check_diagnostics(&diagnostics);
    if (config != NULL) {
        check_config(config);
    }
    weir_diagnostics_fini(&diagnostics);
    return 0;
}
