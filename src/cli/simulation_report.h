/* What a simulation has shown, for people or as JSON. */
#ifndef WEIR_CLI_SIMULATION_REPORT_H
#define WEIR_CLI_SIMULATION_REPORT_H

#include "base/buf.h"
#include "cli/prices.h"
#include "scenario/tally.h"

struct weir_simulation {
    struct weir_world *world;
    struct weir_tally *tally;
    struct weir_prices prices;
    struct weir_time start;
    size_t lines;   /* of the input */
    size_t changes; /* that were fed */
    size_t failed;  /* lines that could not be */
    size_t late;    /* changes whose time had passed when they came */
    uint64_t real_us;
};

void weir_simulation_write_text(const struct weir_simulation *simulation, struct weir_buf *out);
void weir_simulation_write_json(const struct weir_simulation *simulation, struct weir_buf *out);

#endif
