/* A configuration with what there is to say about it, for the tests of config. */
#ifndef WEIR_TESTS_UNIT_CONFIG_CHECKED_H
#define WEIR_TESTS_UNIT_CONFIG_CHECKED_H

#include "../test.h"
#include "config/config.h"
#include "step/registry.h"

struct checked {
    struct weir_config *config; /* NULL: refused */
    struct weir_diagnostics diagnostics;
    struct weir_buf text; /* the diagnostics, as `weir check` prints them */
    struct weir_err err;
    enum weir_rc rc;
};

static inline void check_text(struct checked *checked, struct weir_str yaml)
{
    *checked = (struct checked){ 0 };
    weir_diagnostics_init(&checked->diagnostics, "weir.yaml");
    weir_buf_init(&checked->text, 4 << 20);
    checked->rc = weir_config_parse(
            yaml, weir_step_kinds_all(), &checked->diagnostics, &checked->config, &checked->err);
    weir_diagnostics_write(&checked->diagnostics, &checked->text);
    weir_buf_byte(&checked->text, '\0');
    assert_int_equal(checked->rc == WEIR_OK, checked->config != NULL);
}

static inline void check_end(struct checked *checked)
{
    weir_config_destroy(checked->config);
    weir_diagnostics_fini(&checked->diagnostics);
    weir_buf_fini(&checked->text);
}

/* All that is said about a file, in order. */
static inline void assert_said(const char *yaml, const char *expected)
{
    struct checked checked;
    check_text(&checked, weir_str_z(yaml));
    assert_string_equal(checked.text.p, expected);
    check_end(&checked);
}

#endif
