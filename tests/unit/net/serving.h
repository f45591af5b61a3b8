/* A server on a thread of its own, for tests that talk to it over sockets. */
#ifndef WEIR_TESTS_UNIT_NET_SERVING_H
#define WEIR_TESTS_UNIT_NET_SERVING_H

#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/http.h"
#include "net/loop.h"

struct serving {
    struct weir_loop *loop;
    struct weir_http_server *server;
    struct weir_metrics *set;
    struct weir_http_metrics metrics;
    uint16_t port;
    pthread_t thread;
    struct weir_post stop;
    uint64_t stop_deadline_ms;
    sem_t stopped;
    sem_t parked_now;
    sem_t gone;
    struct weir_http_request *parked; /* loop thread only */
    atomic_int calls;
    atomic_size_t accepted_bytes; /* by a flooded stream before it was full */
};

static inline void *serving_run(void *arg)
{
    struct serving *serving = arg;
    weir_loop_run(serving->loop);
    return NULL;
}

static inline void serving_stopped(void *arg)
{
    struct serving *serving = arg;
    sem_post(&serving->stopped);
    weir_loop_stop(serving->loop);
}

static inline void serving_stop(struct weir_post *post)
{
    struct serving *serving = WEIR_CONTAINER(post, struct serving, stop);
    weir_http_server_stop(serving->server, serving->stop_deadline_ms, serving_stopped, serving);
}

/* Start with a handler and limits; what is zero of them is the default. */
static inline void serving_begin(struct serving *serving, struct weir_http_options options)
{
    memset(serving, 0, sizeof(*serving));
    struct weir_err err;
    sem_init(&serving->stopped, 0, 0);
    sem_init(&serving->parked_now, 0, 0);
    sem_init(&serving->gone, 0, 0);
    serving->stop_deadline_ms = 5000;
    serving->stop.run = serving_stop;
    serving->set = weir_metrics_create();
    weir_http_metrics_init(&serving->metrics, serving->set);
    assert_int_equal(weir_loop_create(weir_clock_system(), &serving->loop, &err), WEIR_OK);
    options.address = options.address != NULL ? options.address : "127.0.0.1";
    options.arg = serving;
    options.metrics = &serving->metrics;
    assert_int_equal(
            weir_http_server_create(serving->loop, &options, &serving->server, &err), WEIR_OK);
    serving->port = weir_http_server_port(serving->server);
    assert_int_not_equal(serving->port, 0);
    assert_int_equal(pthread_create(&serving->thread, NULL, serving_run, serving), 0);
}

/* Ask for a graceful stop; serving_end waits for it. */
static inline void serving_ask_stop(struct serving *serving)
{
    weir_loop_post(serving->loop, &serving->stop);
}

/* Wait for a stop that was asked for, and free all. */
static inline void serving_join(struct serving *serving)
{
    pthread_join(serving->thread, NULL);
    weir_http_server_destroy(serving->server);
    weir_loop_destroy(serving->loop);
    weir_metrics_destroy(serving->set);
    sem_destroy(&serving->stopped);
    sem_destroy(&serving->parked_now);
    sem_destroy(&serving->gone);
}

static inline void serving_end(struct serving *serving)
{
    serving_ask_stop(serving);
    serving_join(serving);
}

static inline int dial(const struct serving *serving)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(serving->port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval patience = { .tv_sec = 10 }; /* a hang fails instead of hanging */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

/* Receive until `end` was seen, or until the connection closes when it is NULL. */
static inline void hear(int fd, const char *end, char *text, size_t size)
{
    size_t n = 0;
    text[0] = '\0';
    while (end == NULL || strstr(text, end) == NULL) {
        assert_true(n + 1 < size);
        ssize_t got = recv(fd, text + n, size - n - 1, 0);
        if (got <= 0) {
            if (end != NULL || got < 0) {
                fail_msg("connection ended (%zd) after \"%s\"", got, text);
            }
            return;
        }
        n += (size_t)got;
        text[n] = '\0';
    }
}

/* Send on a connection of its own and hear all until it closes. */
static inline void ask(const struct serving *serving, const char *request, char *text, size_t size)
{
    int fd = dial(serving);
    say(fd, request);
    hear(fd, NULL, text, size);
    close(fd);
}

#endif
