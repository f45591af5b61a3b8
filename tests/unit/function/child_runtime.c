#include "child_runtime.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT_BYTES = 64 * 1024, PATH_BYTES = 256, ID_BYTES = 64 };

#define API "/2018-06-01/runtime"

struct answer {
    int status;
    char id[ID_BYTES];
    char body[TEXT_BYTES];
};

static int connection = -1;

static void connect_to_weir(void)
{
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    const char *colon = address != NULL ? strchr(address, ':') : NULL;
    struct sockaddr_in to = { .sin_family = AF_INET };
    if (colon == NULL) {
        exit(90);
    }
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&to, sizeof(to)) != 0) {
        exit(91);
    }
}

static void copy_header(const char *head, const char *name, char *value, size_t size)
{
    const char *at = strstr(head, name);
    value[0] = '\0';
    if (at != NULL) {
        at += strlen(name);
        snprintf(value, size, "%.*s", (int)strcspn(at, "\r"), at);
    }
}

static struct answer *receive(void)
{
    static struct answer answer;
    static char text[TEXT_BYTES];
    char length[32];
    size_t n = 0;
    char *end = NULL;
    while (end == NULL) {
        ssize_t got = recv(connection, text + n, 1, 0);
        if (got <= 0 || n + 2 >= sizeof(text)) {
            exit(92);
        }
        n++;
        text[n] = '\0';
        end = strstr(text, "\r\n\r\n");
    }
    answer.status = (int)strtol(text + sizeof("HTTP/1.1 ") - 1, NULL, 10);
    copy_header(text, "Lambda-Runtime-Aws-Request-Id: ", answer.id, sizeof(answer.id));
    copy_header(text, "Content-Length: ", length, sizeof(length));
    size_t body = strtoul(length, NULL, 10);
    for (size_t at = 0; at < body;) {
        ssize_t got = recv(connection, answer.body + at, body - at, 0);
        if (got <= 0) {
            exit(93);
        }
        at += (size_t)got;
    }
    answer.body[body] = '\0';
    return &answer;
}

static struct answer *ask(const char *method, const char *path, const char *body)
{
    char head[PATH_BYTES * 2];
    int n = snprintf(head, sizeof(head),
            "%s " API "%s HTTP/1.1\r\nHost: weir\r\nContent-Length: %zu\r\n\r\n", method, path,
            strlen(body));
    send(connection, head, (size_t)n, MSG_NOSIGNAL);
    send(connection, body, strlen(body), MSG_NOSIGNAL);
    return receive();
}

static struct answer *next(void)
{
    return ask("GET", "/invocation/next", "");
}

static int answer_to(const char *id, const char *kind, const char *body)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "/invocation/%s/%s", id, kind);
    return ask("POST", path, body)->status;
}

/* Answers each event with itself. */
static void echo(void)
{
    for (;;) {
        struct answer *event = next();
        char id[ID_BYTES];
        memcpy(id, event->id, sizeof(id));
        printf("got %s\n", event->body);
        fflush(stdout);
        answer_to(id, "response", event->body);
    }
}

/* Says what it must not, and then answers with the statuses it got for that. */
static void misbehave(void)
{
    char id[ID_BYTES];
    char body[PATH_BYTES];
    memcpy(id, next()->id, sizeof(id));
    int foreign = answer_to("00000000-0000-4000-8000-000000000000", "response", "1");
    int impatient = ask("GET", "/invocation/next", "")->status;
    int init = ask("POST", "/init/error", "{}")->status;
    int nowhere = ask("GET", "/elsewhere", "")->status;
    int verb = answer_to(id, "shrug", "1");
    snprintf(body, sizeof(body), "[%d,%d,%d,%d,%d]", foreign, impatient, init, nowhere, verb);
    answer_to(id, "response", body);
    int again = answer_to(id, "response", "2");
    memcpy(id, next()->id, sizeof(id));
    snprintf(body, sizeof(body), "[%d]", again);
    answer_to(id, "response", body);
    next();
}

static void fail_with_error(void)
{
    char id[ID_BYTES];
    memcpy(id, next()->id, sizeof(id));
    answer_to(id, "error", "{\"errorType\":\"Mine\",\"errorMessage\":\"so sorry\"}");
    next();
}

/* Hangs up while it has asked for an event, and asks again. */
static void hang_up(void)
{
    static const char request[] = "GET " API "/invocation/next HTTP/1.1\r\nHost: weir\r\n\r\n";
    send(connection, request, sizeof(request) - 1, MSG_NOSIGNAL);
    shutdown(connection, SHUT_RDWR);
    close(connection);
    connect_to_weir();
    ask("GET", "/elsewhere", ""); /* answered after weir has seen the other connection end */
    printf("again\n");
    fflush(stdout);
    echo();
}

static void print_much(void)
{
    char id[ID_BYTES];
    memcpy(id, next()->id, sizeof(id));
    for (int i = 0; i < 40000; i++) {
        putchar('a' + i % 26);
    }
    printf("\nlast line\r\nno end");
    fflush(stdout);
    fprintf(stderr, "to the other\n");
    answer_to(id, "response", "null");
    next();
}

int child_runtime(const char *mode)
{
    if (strcmp(mode, "exit") == 0) {
        return 7;
    }
    if (strcmp(mode, "silent") == 0) {
        pause();
    }
    if (strcmp(mode, "stubborn") == 0) {
        signal(SIGTERM, SIG_IGN);
    }
    connect_to_weir();
    if (strcmp(mode, "gives_up") == 0) {
        ask("POST", "/init/error", "{\"errorType\":\"Bad\",\"errorMessage\":\"no handler\"}");
        return 1;
    }
    if (strcmp(mode, "gives_up_mutely") == 0) {
        ask("POST", "/init/error", "");
        return 1;
    }
    if (strcmp(mode, "misbehaves") == 0) {
        misbehave();
    } else if (strcmp(mode, "fails") == 0) {
        fail_with_error();
    } else if (strcmp(mode, "hangs_up") == 0) {
        hang_up();
    } else if (strcmp(mode, "prints") == 0) {
        print_much();
    } else if (strcmp(mode, "dies") == 0) {
        next();
        return 9;
    } else if (strcmp(mode, "hangs") == 0) {
        next();
        pause();
    } else {
        echo();
    }
    return 0;
}
