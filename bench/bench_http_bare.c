/*
 * The bare HTTP server: a handler that answers a small constant JSON. What it reaches is the
 * limit that the other figures are held against. Prints its port, serves until SIGTERM.
 *
 *     bench_http_bare [port]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/http.h"
#include "net/loop.h"

static struct weir_loop *loop;

static void on_signal(int number)
{
    (void)number;
    weir_loop_stop(loop); /* one atomic store and one write to an eventfd: fine in a handler */
}

static void answer(struct weir_http_request *request, void *arg)
{
    (void)arg;
    static const struct weir_http_header headers[] = {
        { { "Content-Type", 12 }, { "application/x-amz-json-1.0", 26 } },
    };
    weir_http_respond(request, 200, headers, 1, WEIR_STR("{\"ok\":true}"));
}

int main(int argc, char **argv)
{
    struct weir_err err;
    if (weir_loop_create(weir_clock_system(), &loop, &err) != WEIR_OK) {
        fprintf(stderr, "bench_http_bare: %s\n", err.msg);
        return 1;
    }
    struct weir_http_options options = { .address = "127.0.0.1", .handle = answer };
    options.port = argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 0;
    struct weir_http_server *server = NULL;
    if (weir_http_server_create(loop, &options, &server, &err) != WEIR_OK) {
        fprintf(stderr, "bench_http_bare: %s\n", err.msg);
        weir_loop_destroy(loop);
        return 1;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("%u\n", (unsigned)weir_http_server_port(server));
    fflush(stdout);
    weir_loop_run(loop);
    weir_http_server_destroy(server);
    weir_loop_destroy(loop);
    return 0;
}
