#include "cli/prices.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli_int.h"
#include "conf/conf.h"

enum { OUT_MAX_BYTES = 1 << 20, NUMBER_TEXT = 64 };

/* The file's options; a price is read as text, because options know no fractions. */
struct options {
    struct weir_str currency;
    struct weir_str table_write;
    struct weir_str table_read;
    struct weir_str queue_request;
    struct weir_str fifo_request;
    struct weir_str function_request;
    struct weir_str function_gb_second;
    uint64_t run_ms;
    uint64_t run_bytes;
};

#define PRICE(name, fallback, help)                                                     \
    {                                                                                   \
#        name, fallback, help, WEIR_OPTION_STRING, offsetof(struct options, name), 0, 0 \
    }

static const struct weir_option price_options[] = {
    PRICE(currency, "USD", "what the prices are in"),
    PRICE(table_write, "0.625", "a million write request units"),
    PRICE(table_read, "0.125", "a million read request units"),
    PRICE(queue_request, "0.40", "a million requests to a queue"),
    PRICE(fifo_request, "0.50", "a million requests to a FIFO queue"),
    PRICE(function_request, "0.20", "a million runs of a function"),
    PRICE(function_gb_second, "0.0000166667", "a second of a GiB of memory of a function"),
    { "run_duration", "100ms", "how long a function takes when nothing else says so",
            WEIR_OPTION_DURATION, offsetof(struct options, run_ms), 0, 0 },
    { "run_memory", "128MiB", "the memory of a batch as a function, and of one without a limit",
            WEIR_OPTION_BYTES, offsetof(struct options, run_bytes), 0, 0 },
    { 0 },
};

static double read_price(struct weir_diagnostics *diagnostics, const struct weir_conf *root,
        const char *name, struct weir_str text)
{
    char number[NUMBER_TEXT];
    char *end = NULL;
    snprintf(number, sizeof(number), "%.*s", WEIR_STR_ARG(text));
    double price = strtod(number, &end);
    if (text.n == 0 || text.n >= sizeof(number) || *end != '\0' || !(price >= 0 && price < 1e9)) {
        weir_conf_error(diagnostics, root != NULL ? weir_conf_get(root, name) : NULL,
                "'%s' must be a price such as 0.625, not '%.*s'", name, WEIR_STR_ARG(text));
    }
    return price;
}

static void read_prices(struct weir_diagnostics *diagnostics, const struct weir_conf *root,
        struct weir_prices *prices)
{
    struct options options = { 0 };
    if (!weir_conf_options(diagnostics, root, "the prices", price_options, &options)) {
        return;
    }
    snprintf(prices->currency, sizeof(prices->currency), "%.*s", WEIR_STR_ARG(options.currency));
    prices->table_write = read_price(diagnostics, root, "table_write", options.table_write);
    prices->table_read = read_price(diagnostics, root, "table_read", options.table_read);
    prices->queue_request = read_price(diagnostics, root, "queue_request", options.queue_request);
    prices->fifo_request = read_price(diagnostics, root, "fifo_request", options.fifo_request);
    prices->function_request =
            read_price(diagnostics, root, "function_request", options.function_request);
    prices->function_gb_second =
            read_price(diagnostics, root, "function_gb_second", options.function_gb_second);
    prices->run_ms = options.run_ms;
    prices->run_bytes = options.run_bytes;
}

bool weir_prices_load(const char *path, struct weir_prices *ret_prices)
{
    struct weir_arena arena;
    struct weir_diagnostics diagnostics;
    struct weir_buf complaints;
    struct weir_err err = { 0 };
    const struct weir_conf *root = NULL;
    enum weir_rc rc = WEIR_OK;
    weir_arena_init(&arena);
    weir_diagnostics_init(&diagnostics, path);
    weir_buf_init(&complaints, OUT_MAX_BYTES);
    if (path != NULL) {
        rc = weir_conf_load(&arena, path, &diagnostics, &root, &err);
    }
    if (rc == WEIR_OK) {
        read_prices(&diagnostics, root, ret_prices);
    } else if (diagnostics.count == 0) {
        weir_cli_fail("%s", err.msg);
    }
    bool good = rc == WEIR_OK && diagnostics.errors == 0;
    weir_diagnostics_write(&diagnostics, &complaints);
    fprintf(stderr, "%.*s", WEIR_STR_ARG(weir_buf_view(&complaints)));
    weir_buf_fini(&complaints);
    weir_diagnostics_fini(&diagnostics);
    weir_arena_fini(&arena);
    return good;
}
