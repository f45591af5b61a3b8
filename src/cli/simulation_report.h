/* What a simulation has shown, for people or as JSON. */
#ifndef WEIR_CLI_SIMULATION_REPORT_H
#define WEIR_CLI_SIMULATION_REPORT_H

#include "base/buf.h"
#include "cli/prices.h"
#include "scenario/tally.h"

/* A pipeline, as far as it matters for what AWS would ask. */
struct weir_simulated_pipeline {
    struct weir_str name;
    bool invokes; /* functions, whose runs are counted by themselves */
    bool of_queue;
    bool fifo; /* the queue */
};

/* The runs of a function. */
struct weir_simulated_function {
    struct weir_str name;
    uint64_t runs;
    uint64_t failed; /* of them */
    uint64_t ms;     /* of all of them; run_duration of those of which nothing is said */
    uint64_t bytes;  /* memory; 0: run_memory */
};

struct weir_simulation {
    struct weir_world *world;
    struct weir_tally *tally;
    struct weir_prices prices;
    struct weir_simulated_pipeline *pipelines;
    size_t pipeline_count;
    struct weir_simulated_function *functions;
    size_t function_count;
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
